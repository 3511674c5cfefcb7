"""Every read as it stood: what `known_at` gives is what a store that had only heard so much would give."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.client import Client
from tests.factories import Json, make_actor, make_event, make_place, make_source, make_timeline

INSTANTS = [f"2013-02-{day:02}T00:00:00Z" for day in range(1, 13)]
WHENS = ("2013-02-25", "2013-03", "[2013-02-20..2013-02-28]", "2012-09/..", "{2013-02-01,2013-04}", "1914", "-0043")
STATUSES = ("planned", "tentative", "occurred", "cancelled")
QUERIES: tuple[dict[str, Any], ...] = (
    {},
    {"datetime": "2013-02"},
    {"datetime": "2013-02-25", "certainty": "certain"},
    {"datetime": "2013", "relation": "before"},
    {"datetime": "2013-02", "relation": "within", "certainty": "certain"},
    {"status": ["planned", "occurred"]},
    {"status": "cancelled", "datetime": "2013"},
    {"topic": "war"},
    {"topic": ["war", "peace"], "status": "planned"},
    {"q": "alpha"},
    {"q": "alpha", "sort": "relevance"},
    {"sort": "-date"},
    {"overdue": True},
)


def path_of(event: Json) -> str:
    return f"/v1/timelines/{event['timeline']}/events/{event['id']}"


def state(choose: random.Random, number: int) -> Json:
    """Make up what is known of an event."""
    return {
        "title": f"{choose.choice(('alpha', 'beta'))} {number}",
        "when": choose.choice(WHENS),
        "status": choose.choice(STATUSES),
        "topics": choose.sample(("war", "peace"), choose.randint(0, 2)),
    }


@pytest.fixture(scope="module")
def worlds(api: Client) -> tuple[str, dict[str, str]]:
    """Write a timeline in which much is reported late, and for some instants one that heard only so much, in order."""
    choose = random.Random(20130215)  # noqa: S311  # made-up events, no secret
    reports = [
        [(instant, state(choose, number)) for instant in choose.sample(INSTANTS, choose.randint(1, 5))]
        for number in range(40)
    ]
    whole = make_timeline(api)
    for one in reports:
        (instant, first), *others = one
        event = make_event(api, whole, **first, reported_at=instant)
        for later, body in others:
            answer = api.put(path_of(event), {**body, "reported_at": later}, "*")
            assert answer.status_code == 200, answer.text
    partial = {}
    for until in (INSTANTS[1], INSTANTS[5], INSTANTS[11]):
        partial[until] = make_timeline(api)
        for one in reports:
            heard = [report for report in sorted(one, key=lambda report: report[0]) if report[0] <= until]
            if heard:
                make_event(api, partial[until], **heard[-1][1])
    return whole, partial


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_list_is_as_it_was_known(api: Client, worlds: tuple[str, dict[str, str]], query: dict[str, Any]) -> None:
    whole, partial = worlds
    total = 0
    for until, heard in partial.items():
        # overdue is by the clock of the question: what was known by then is compared with that instant
        at = {"known_at": until} if "overdue" not in query else {"known_at": "2999-01-01T00:00:00Z"}
        if "overdue" in query and until != INSTANTS[11]:
            continue
        ordered = query.get("sort", "date") != "relevance"
        known = [event["title"] for event in api.walk(whole, **query, **at, limit=7)]
        right = api.titles(heard, **query)
        assert sorted(known) == sorted(right)
        if ordered:
            starts = [event["bounds"]["start"]["earliest"] or "" for event in api.walk(whole, **query, **at, limit=7)]
            assert starts == [event["bounds"]["start"]["earliest"] or "" for event in api.walk(heard, **query)]
        assert api.read(whole, **query, **at, count="exact")["count"] == len(right)
        lines = api.get(whole, **query, **at, format="ndjson").text.splitlines()
        assert len(lines) == len(right)
        total += len(right)
    assert total


def test_an_event_is_as_it_was_known(api: Client) -> None:
    event = make_event(api, make_timeline(api), title="One", reported_at=INSTANTS[3])
    api.patch(path_of(event), {"title": "Two", "reported_at": INSTANTS[6]}, "*")
    assert api.get(path_of(event), known_at="2013-02-03").status_code == 404
    assert api.read(path_of(event), known_at="2013-02-04T00:00Z")["title"] == "One"
    assert api.read(path_of(event), known_at="2013-02-06")["title"] == "One"
    assert api.read(path_of(event), known_at="2013-02-07")["title"] == "Two"
    assert api.read(path_of(event), known_at="2999")["title"] == "Two"
    assert api.get(path_of(event), known_at="2013-02-06").headers["etag"] == '"1"'


def test_a_day_means_its_end_and_a_time_its_instant(api: Client) -> None:
    event = make_event(api, make_timeline(api), reported_at="2013-02-15T12:00:00Z")
    assert api.get(path_of(event), known_at="2013-02-15").status_code == 200
    assert api.get(path_of(event), known_at="2013-02").status_code == 200
    assert api.get(path_of(event), known_at="2013-02-15T11:59:59Z").status_code == 404
    assert api.get(path_of(event), known_at="2013-02-15T12:00Z").status_code == 200
    too_long = f"[{'2013-02-15,' * 20}2013-02-16]"
    for nonsense in ("yesterday", "2013-02-30", "2013/..", "", "2013-02-15T25:00Z", too_long):
        answer = api.get(path_of(event), known_at=nonsense)
        assert answer.status_code == 400, nonsense
        assert answer.json()["errors"][0]["parameter"] == "known_at"


def test_what_was_deleted_is_there_before(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events, reported_at=INSTANTS[0])
    api.delete(path_of(event), "*")
    assert api.get(path_of(event), known_at="2013-02").status_code == 200
    assert len(api.read(events, known_at="2013-02")["items"]) == 1
    assert api.get(path_of(event), known_at="2999").status_code == 410
    assert api.read(events, known_at="2999")["items"] == []


def test_claims_and_links_are_those_of_the_state(api: Client) -> None:
    events = make_timeline(api)
    event, other = (make_event(api, events, reported_at=INSTANTS[0]) for _ in range(2))
    source = make_source(api)
    api.post(f"{path_of(event)}/claims", {"source": source, "reported_at": INSTANTS[4]})
    assert api.read(f"{path_of(event)}/claims", known_at="2013-02-04")["items"] == []
    (claim,) = api.read(f"{path_of(event)}/claims", known_at="2013-02-05")["items"]
    assert api.get(f"{path_of(event)}/claims/{claim['id']}", known_at="2013-02-04").status_code == 404
    assert api.get(f"{path_of(event)}/claims/{claim['id']}", known_at="2013-02-05").status_code == 200
    assert [one["id"] for one in api.walk(events, known_at="2013-02-04", source=source)] == []
    assert [one["id"] for one in api.walk(events, known_at="2013-02-05", source=source)] == [event["id"]]
    api.put(f"{path_of(event)}/links/follows/{other['id']}", None)
    assert api.read(path_of(event), known_at="2013-02-05")["links"] == [{"rel": "follows", "event": other["id"]}]


def test_each_filter_finds_past_states(api: Client) -> None:
    events = make_timeline(api)
    old = {
        "kind": "visit",
        "participants": [{"actor": make_actor(api)}],
        "place": {"place": make_place(api)},
        "topics": ["peace"],
        "claims": [{"source": make_source(api)}],
        "status": "planned",
    }
    event = make_event(api, events, **old, reported_at=INSTANTS[0])
    body = {"title": "Now", "when": "2013", "status": "occurred", "reported_at": INSTANTS[4]}
    assert api.put(path_of(event), body, "*").status_code == 200
    filters = {
        "kind": "visit",
        "actor": old["participants"][0]["actor"],  # type: ignore[index]  # a body is what it is
        "place": old["place"]["place"],  # type: ignore[index]  # a body is what it is
        "topic": "peace",
        "source": old["claims"][0]["source"],  # type: ignore[index]  # a body is what it is
        "status": "planned",
    }
    for name, value in filters.items():
        assert len(api.walk(events, **{name: value, "known_at": "2013-02-04"})) == 1, name
        assert api.walk(events, **{name: value, "known_at": "2013-02-05"}) == [], name
        assert api.walk(events, **{name: value}) == [], name


def test_a_cursor_is_bound_to_what_was_known(api: Client) -> None:
    events = make_timeline(api)
    for _ in range(3):
        make_event(api, events, reported_at=INSTANTS[0])
    cursor = api.read(events, known_at="2013-02-05", limit=2)["next"]
    assert len(api.read(events, known_at="2013-02-05", limit=2, cursor=cursor)["items"]) == 1
    assert api.get(events, known_at="2013-02-06", limit=2, cursor=cursor).status_code == 400
    assert api.get(events, limit=2, cursor=cursor).status_code == 400


def test_what_is_disputed_is_found_as_it_was(api: Client) -> None:
    events, source = make_timeline(api), make_source(api)
    claims = [{"source": source, "asserts": {"status": "occurred"}}]
    disputed = make_event(api, events, status="planned", claims=claims, reported_at=INSTANTS[0])
    make_event(api, events, status="occurred", claims=claims, reported_at=INSTANTS[0])
    make_event(api, events, status="planned", reported_at=INSTANTS[0])
    assert [one["id"] for one in api.walk(events, disputed=True)] == [disputed["id"]]
    assert len(api.walk(events, disputed=False)) == 2
    api.patch(path_of(disputed), {"status": "occurred", "reported_at": INSTANTS[4]}, "*")
    assert api.walk(events, disputed=True) == []
    assert [one["id"] for one in api.walk(events, disputed=True, known_at="2013-02-04")] == [disputed["id"]]
