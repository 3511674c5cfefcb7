"""Cursors: each event once, whatever is written meanwhile; and nothing else is taken for one."""

from __future__ import annotations

import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from service.errors import InvalidCursor
from service.store.cursor import seal, unseal
from tests.client import Asked, Client
from tests.factories import make_actor, make_event, make_source, make_timeline, path_of

# Several begin together, some without a beginning, some without an end, one beyond the axis.
DATES = (
    "[..2013-02-20]",
    "[..2013-02-20]",
    "[..-0043]",
    "Y-170000002",
    "-0043-03-15",
    "2012-09/..",
    "2012-09/",
    "2013-02",
    "2013-02",
    "2013-02",
    "2013-02-01",
    "2013-02-01T00:00:00Z",
    "2013-02-20/2013-02-28",
    "{2013-02-21,2013-02-28}",
    "2013-02-25",
    "2013-02-25",
    "2013-03",
    "9999-12-31",
    "Y170000002",
)
WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    {"datetime": "2013-02"},
    {"datetime": "2013-02", "certainty": "certain"},
    {"datetime": "../2013-02-20"},
    {"datetime": "2013-02-25/.."},
    {"datetime": "2013", "relation": "within"},
    {"datetime": "2013", "relation": "within", "certainty": "certain"},
    {"datetime": "2013-02-25", "relation": "contains"},
    {"datetime": "2013-02-25", "relation": "contains", "certainty": "certain"},
    {"datetime": "2013-02-25", "relation": "before"},
    {"datetime": "2013-02-25", "relation": "before", "certainty": "certain"},
    {"datetime": "2013-02-20", "relation": "after"},
    {"datetime": "2013-02-20", "relation": "after", "certainty": "certain"},
)


@pytest.fixture(scope="module")
def story(api: Client) -> str:
    """Make a timeline with one event of each date; no test changes it."""
    events = make_timeline(api)
    source, actor = make_source(api), make_actor(api)
    for i, when in enumerate(DATES):
        make_event(
            api,
            events,
            title=f"{i}: talks",
            when=when,
            kind="even" if i % 2 == 0 else "odd",
            topics=["war", "peace"][: i % 3],
            # more than once, as a report that is quoted twice, or someone in two roles
            claims=[{"source": source, "quote": "one"}, {"source": source, "quote": "two"}] if i % 2 else [],
            participants=[{"actor": actor, "role": "host"}, {"actor": actor, "role": "guest"}] if i % 3 else [],
        )
    return events


def filters_of(client: Client, events: str) -> list[dict[str, Any]]:
    everything = client.read(events, limit=200)["items"]
    source = next(event["claims"][0]["source"] for event in everything if event["claims"])
    actor = next(event["participants"][0]["actor"] for event in everything if event["participants"])
    return [
        {},
        {"source": source},
        {"actor": actor},
        {"actor": actor, "source": source, "kind": "odd"},
        {"topic": ["war", "peace"]},
        {"kind": ["even", "odd"]},
        {"status": "planned", "topic": "peace"},
        {"q": "talks"},
        {"overdue": "true"},
    ]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_walk_sees_each_event_once_in_both_orders(api: Client, story: str, window: dict[str, Any]) -> None:
    for number, chosen in enumerate(filters_of(api, story)):
        asked = window | chosen
        whole = [event["id"] for event in api.read(story, limit=200, **asked)["items"]]
        assert len(whole) == len(set(whole))
        assert api.read(story, count="exact", **asked)["count"] == len(whole), asked
        limits = (1, 4) if number % 2 == 0 else (4, 1)
        for limit, sort, expected in zip(limits, ("date", "-date"), (whole, whole[::-1]), strict=True):
            pages = list(api.pages(story, limit=limit, sort=sort, **asked))
            seen = [event["id"] for page in pages for event in page["items"]]
            assert seen == expected, (asked, limit, sort)
            assert all(len(page["items"]) == limit for page in pages[:-1])
            assert len(pages) == max(1, -(-len(whole) // limit)), "no page is empty but the only one"


@pytest.mark.parametrize("asked", [{"sort": "-recorded"}, {"sort": "relevance", "q": "talks"}], ids=str)
def test_other_orders_are_walked_the_same_way(api: Client, story: str, asked: dict[str, str]) -> None:
    whole = api.read(story, limit=200, **asked)["items"]
    assert len(whole) == len(DATES)
    for limit in (1, 4):
        assert api.walk(story, limit=limit, **asked) == whole


def test_the_link_leads_to_the_next_page(api: Client, story: str) -> None:
    asked: dict[str, Any] = {"datetime": "2013-02", "kind": ["even", "odd"], "q": "talks -peace", "limit": 2}
    page = api.get(story, **asked)
    seen = page.json()["items"]
    while "link" in page.headers:
        target, _, parameters = page.headers["link"].partition(">")
        assert (target[0], parameters) == ("<", '; rel="next"')
        assert ("cursor", page.json()["next"]) in parse_qsl(urlsplit(target).query)
        page = api.send("GET", target[1:])
        assert page.status_code == 200
        seen += page.json()["items"]
    assert page.json()["next"] is None
    assert seen == api.read(story, **{**asked, "limit": 200})["items"]
    assert len(seen) > 4


# While others write


def insert_before(client: Client, events: str, _: list[str]) -> None:
    make_event(client, events, when="2013-02-01")


def insert_after(client: Client, events: str, _: list[str]) -> None:
    make_event(client, events, when="2013-02-27")


def insert_here(client: Client, events: str, _: list[str]) -> None:
    make_event(client, events, when="2013-02-15")


def amend_seen(client: Client, _: str, seen: list[str]) -> None:
    client.patch(seen[-1], {"title": "amended", "when": "2013-02-28"}, "*")


def delete_seen(client: Client, _: str, seen: list[str]) -> None:
    client.delete(seen[-1], "*")


@pytest.mark.parametrize("sort", ["date", "-date", "-recorded", "relevance"])
@pytest.mark.parametrize("meddle", [insert_before, insert_after, insert_here, amend_seen, delete_seen])
def test_each_untouched_event_is_seen_once_whatever_is_written_meanwhile(
    api: Client, sort: str, meddle: Callable[[Client, str, list[str]], None]
) -> None:
    events = make_timeline(api)
    untouched = {make_event(api, events, title=f"talks {i}", when="2013-02-15")["id"] for i in range(8)}
    asked: dict[str, Any] = {"sort": sort, "limit": 2, "q": "talks or meeting or amended", "datetime": "2013-02"}
    seen: list[str] = []
    paths: list[str] = []
    for page in api.pages(events, **asked):
        seen += [event["id"] for event in page["items"]]
        paths += [path_of(event) for event in page["items"]]
        if meddle in (amend_seen, delete_seen):
            untouched.discard(seen[-1])
        if len(paths) < 16:
            meddle(api, events, paths)
    assert untouched
    assert all(seen.count(event) == 1 for event in untouched)


# What is no cursor


def refused(client: Client, path: str, cursor: str, **asked: Asked) -> bool:
    answer = client.get(path, cursor=cursor, **asked)
    if answer.status_code == 400:
        problem = answer.json()
        assert problem["type"] in ("/problems/invalid-cursor", "/problems/invalid-parameter")
        assert problem["errors"][0]["parameter"] == "cursor"
    return answer.status_code == 400


def mutations(cursor: str) -> Iterator[str]:
    """Yield the cursor with each character changed, dropped or doubled, cut, and padded."""
    alphabet = string.ascii_letters + string.digits + "-_"
    for i, character in enumerate(cursor):
        other = alphabet[(alphabet.index(character) + 1) % 64]
        last_bit = alphabet[alphabet.index(character) ^ 1]
        yield from (cursor[:i] + wrong + cursor[i + 1 :] for wrong in {other, last_bit, "", character * 2, "~"})
        yield cursor[:i]
    yield from (cursor + tail for tail in ("A", "=", "==", " ", "\n", "\x00"))


def test_a_tampered_cursor_is_refused(api: Client, story: str) -> None:
    cursor = api.read(story, limit=1)["next"]
    assert not refused(api, story, cursor, limit=1)
    tampered = set(mutations(cursor)) - {cursor}
    assert len(tampered) > 250
    assert [one for one in sorted(tampered) if not refused(api, story, one, limit=1)] == []


@pytest.mark.parametrize(
    "garbage", ["", "x", "0", "null", "é", "\U0001f600", "A" * 75, "A" * 500, "A" * 501, "%00", "../"]
)
def test_garbage_is_no_cursor(api: Client, story: str, garbage: str) -> None:
    assert refused(api, story, garbage)
    assert refused(api, "/v1/actors", garbage)


@pytest.mark.parametrize(
    "changed",
    [
        {"datetime": "2013-03"},
        {"datetime": None},
        {"relation": "within"},
        {"certainty": "certain"},
        {"status": "occurred"},
        {"kind": "odd"},
        {"kind": ["even", "odd", "third"]},
        {"topic": "war"},
        {"overdue": "false"},
        {"q": "war"},
        {"sort": "-date"},
        {"sort": "-recorded"},
        {"sort": "relevance"},
    ],
    ids=str,
)
def test_a_cursor_belongs_to_its_query(api: Client, story: str, changed: dict[str, Any]) -> None:
    asked: dict[str, Any] = {
        "datetime": "2013",
        "kind": ["even", "odd"],
        "status": "planned",
        "overdue": "true",
        "q": "talks",
        "limit": 1,
    }
    cursor = api.read(story, **asked)["next"]
    changed_query = {name: value for name, value in (asked | changed).items() if value is not None}
    assert refused(api, story, cursor, **changed_query)


def test_a_cursor_does_not_mind_how_its_query_is_written(api: Client, story: str) -> None:
    asked: dict[str, Any] = {"kind": ["even", "odd"], "limit": 3}
    first = api.read(story, **asked)
    again: dict[str, Any] = {
        "kind": ["odd", "even", "odd"],
        "limit": 200,
        "certainty": "possible",
        "sort": "date",
        "count": "exact",
    }
    rest = api.read(story, cursor=first["next"], **again)
    assert first["items"] + rest["items"] == api.read(story, limit=200)["items"]


def test_a_cursor_belongs_to_its_list(api: Client, story: str) -> None:
    other = make_timeline(api)
    make_event(api, other)
    make_source(api)
    make_source(api)
    of_story = api.read(story, limit=1)["next"]
    of_all = api.read("/v1/events", limit=1)["next"]
    of_sources = api.read("/v1/sources", limit=1)["next"]
    assert refused(api, other, of_story)
    assert refused(api, "/v1/events", of_story)
    assert refused(api, story, of_all)
    assert refused(api, "/v1/sources", of_story)
    assert refused(api, story, of_sources)
    assert refused(api, "/v1/places", of_sources)


def test_no_cursor_can_be_made_of_another_by_moving_the_line_between_query_and_place() -> None:
    """What a signature covers is told apart: a query that ends where a place began is another query."""
    cursor = seal(b"key", b"query", b"place")
    assert unseal(b"key", b"query", cursor) == b"place"
    sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert sealed.startswith(b"place")
    moved = urlsafe_b64encode(sealed[1:]).rstrip(b"=").decode()
    with pytest.raises(InvalidCursor):
        unseal(b"key", b"queryp", moved)
