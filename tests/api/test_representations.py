"""The same events in every representation: by `Accept` or in a link, with the same filters, whole or by pages."""

from __future__ import annotations

import csv
import gc
import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import httpx
import pytest
from icalendar import Calendar

from service.api.representations import FORMATS, STREAMED
from tests.client import Client, connected
from tests.factories import fresh_slug, make_actor, make_event, make_place, make_source, make_timeline

ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"
PAGED = {"json", "atom", "svg"}


def _ids_of_csv(text: str) -> list[str]:
    return [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def _ids_of_ics(text: str) -> list[str]:
    return [str(one["uid"]).partition("@")[0] for one in Calendar.from_ical(text).walk("VEVENT")]


def _parsed(text: str) -> Element:
    return fromstring(text)  # noqa: S314  # our own words, which hold no entity


def _ids_of_links(text: str, path: str, attribute: str) -> list[str]:
    found = (one.get(attribute) or one.text or "" for one in _parsed(text).findall(path))
    return [one.rpartition("-")[2] if "#e-" not in one else one.partition("#e-")[2] for one in found]


# How to find in each which events it holds, in order.
IDS: dict[str, Callable[[str], list[str]]] = {
    "json": lambda text: [one["id"] for one in json.loads(text)["items"]],
    "ndjson": lambda text: [json.loads(line)["id"] for line in text.splitlines()],
    "csv": _ids_of_csv,
    "ics": _ids_of_ics,
    "atom": lambda text: _ids_of_links(text, f"{ATOM}entry/{ATOM}link[@rel='alternate']", "href"),
    "geojson": lambda text: [one["id"].partition("/")[2] for one in json.loads(text)["features"]],
    "jsonld": lambda text: [one["identifier"] for one in json.loads(text)["@graph"]],
    "timelinejs": lambda text: [one["unique_id"][-36:] for one in json.loads(text)["events"]],
    "svg": lambda text: _ids_of_links(text, f"{SVG}a", "href"),
}
EACH = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture(scope="module")
def story(api: Client) -> str:
    events = make_timeline(api, title="Talks & <tea>", description="All that\nis known")
    kremlin = make_place(api, latitude=55.75, longitude=37.62)
    nowhere = make_place(api)
    actor, source = make_actor(api, name="Some One; or=another"), make_source(api)
    for day in range(1, 8):
        claims = [
            {"source": source, "quote": "said, “so”;\nand so on", "asserts": {"status": "planned"}},
            {"source": source, "attributed_to": "a friend"},
        ]
        make_event(
            api,
            events,
            title=f"Talks {day}",
            when=f"2013-02-0{day}",
            kind="odd" if day % 2 else "even",
            place={"place": kremlin if day % 2 else nowhere},
            participants=[{"actor": actor, "role": "host"}],
            topics=["tea", "war"],
            claims=claims[: day % 3],
        )
    return events


def ask(client: Client, path: str, name: str, **asked: Any) -> httpx.Response:  # noqa: ANN401  # as the client takes it
    answer = client.get(path, format=name, **asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == FORMATS[name]
    return answer


@EACH
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"sort": "-date"},
        {"kind": "odd"},
        {"q": "talks", "sort": "relevance"},
        {"datetime": "2013-02-03/2013-02-05", "certainty": "certain"},
        {"limit": 3},
        {"datetime": "1999"},
    ],
    ids=str,
)
def test_each_holds_the_events_that_json_holds(api: Client, story: str, name: str, asked: dict[str, Any]) -> None:
    in_order = {"sort": "date"} | asked
    expected = [one["id"] for one in api.read(story, **in_order)["items"]]
    assert IDS[name](ask(api, story, name, **in_order).text) == expected
    assert len(expected) == (0 if "1999" in asked.values() else len(expected) or None)


@EACH
def test_each_tells_what_was_known_then(api: Client, name: str) -> None:
    events = make_timeline(api)
    make_event(api, events, title="old", reported_at="2013-01-01T00:00:00Z")
    make_event(api, events, title="new", reported_at="2014-01-01T00:00:00Z")
    text = ask(api, events, name, known_at="2013-06").text
    assert "old" in text
    assert "new" not in text.replace("newest", "").replace("Renewed", "")


@EACH
def test_accept_and_a_link_give_the_same(api: Client, story: str, name: str) -> None:
    by_accept = api.send("GET", story, params={"limit": 2}, headers={"Accept": FORMATS[name]})
    by_link = ask(api, story, name, limit=2)
    assert by_accept.headers["content-type"] == by_link.headers["content-type"]
    assert IDS[name](by_accept.text) == IDS[name](by_link.text)
    assert "accept" in by_link.headers["vary"].lower()


@EACH
def test_who_holds_it_is_not_sent_it_again(api: Client, story: str, name: str) -> None:
    tag = ask(api, story, name).headers["etag"]
    again = api.send("GET", story, params={"format": name}, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@EACH
def test_each_is_compressed_for_who_asks(api: Client, story: str, name: str) -> None:
    plain = ask(api, story, name)
    packed = api.send("GET", story, params={"format": name}, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content


@EACH
def test_a_timeline_that_is_not_there_is_none(api: Client, name: str) -> None:
    assert api.get("/v1/timelines/no-such-story/events", format=name).status_code == 404


@EACH
def test_what_is_private_stays_so(api: Client, api_database_url: str, name: str) -> None:
    events = make_timeline(api, visibility="private", title="A secret")
    make_event(api, events, title="Hidden away")
    with connected(api_database_url, key=None) as anyone:
        assert anyone.get(events, format=name).status_code == 404
        assert "Hidden away" not in anyone.get("/v1/events", format=name, q="hidden").text
    assert "Hidden away" in ask(api, "/v1/events", name, q="hidden").text


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - PAGED))
def test_what_sends_all_has_no_pages(api: Client, story: str, name: str) -> None:
    for parameter, value in (("cursor", "x"), ("count", "exact")):
        answer = api.get(story, format=name, **{parameter: value})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, parameter)


@pytest.mark.parametrize("name", sorted(PAGED))
def test_pages_are_linked(api: Client, story: str, name: str) -> None:
    found: list[str] = []
    answer = ask(api, story, name, sort="date", limit=3)
    found += IDS[name](answer.text)
    while match := re.search("<([^>]+)>", answer.headers.get("link", "")):
        answer = api.get(match[1])
        found += IDS[name](answer.text)
    assert found == [one["id"] for one in api.read(story)["items"]]


@pytest.mark.parametrize("name", ["atom", "svg"])
def test_a_page_that_is_not_json_has_no_count(api: Client, story: str, name: str) -> None:
    answer = api.get(story, format=name, count="exact")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "count")


@pytest.mark.parametrize(
    "limits",
    [
        {"service.store.stream.MOST_EVENTS": 2, "service.api.listing.MOST_EVENTS": 2},  # more than are read at once
        {"service.api.listing._BATCH_BYTES": 1},  # larger than is written at once
    ],
    ids=["many", "large"],
)
@pytest.mark.parametrize("name", sorted(FORMATS.keys() - PAGED))
def test_what_is_written_in_parts_is_the_same(
    api: Client, story: str, monkeypatch: pytest.MonkeyPatch, name: str, limits: dict[str, int]
) -> None:
    whole = ask(api, story, name)
    for limit, most in limits.items():
        monkeypatch.setattr(limit, most)
    parts = ask(api, story, name)
    assert "content-length" not in parts.headers
    assert parts.content == whole.content


@pytest.mark.parametrize("name", [name for name, media_type in FORMATS.items() if media_type in STREAMED])
def test_a_browser_knows_what_to_call_it(api: Client, story: str, name: str) -> None:
    suffix = STREAMED[FORMATS[name]].suffix
    told = ask(api, story, name).headers["content-disposition"]
    assert told == f'inline; filename="{story.split("/")[3]}.{suffix}"'
    told = ask(api, "/v1/events", name, q="nothing").headers["content-disposition"]
    assert told == f'inline; filename="dateline.{suffix}"'


def test_a_feed_begins_with_what_was_recorded_last(api: Client, story: str) -> None:
    newest_first = [one["id"] for one in api.read(story, sort="-recorded")["items"]]
    assert IDS["atom"](ask(api, story, "atom").text) == newest_first
    assert IDS["atom"](ask(api, story, "atom", sort="date").text) == newest_first[::-1]


def test_a_feed_links_to_itself_and_to_its_other_pages(api: Client, story: str) -> None:
    first = _parsed(ask(api, story, "atom", limit=5).text)
    links = {one.get("rel"): one.get("href") for one in first.findall(f"{ATOM}link")}
    assert links["self"] == links["first"] == f"http://localhost{story}?limit=5&format=atom"
    following = links["next"]
    assert following is not None
    second = _parsed(api.get(following).text)
    assert {one.get("rel"): one.get("href") for one in second.findall(f"{ATOM}link")}["self"] == following
    assert second.findtext(f"{ATOM}id") == first.findtext(f"{ATOM}id")
    assert len(second.findall(f"{ATOM}entry")) == 2


def test_places_are_where_the_directory_has_them(api: Client, story: str) -> None:
    features = json.loads(ask(api, story, "geojson").text)["features"]
    points = [one["geometry"] and one["geometry"]["coordinates"] for one in features]
    assert points == [[37.62, 55.75], None] * 3 + [[37.62, 55.75]]
    entries = Calendar.from_ical(ask(api, story, "ics").text).walk("VEVENT")
    assert [one.get("geo") and one["geo"].to_ical() for one in entries] == ["55.75;37.62", None] * 3 + ["55.75;37.62"]
    nodes = json.loads(ask(api, story, "jsonld").text)["@graph"]
    assert [one["location"].get("geo", {}).get("latitude") for one in nodes] == [55.75, None] * 3 + [55.75]


def test_a_calendar_is_called_as_its_timeline(api: Client, story: str) -> None:
    calendar = Calendar.from_ical(ask(api, story, "ics").text)
    assert (calendar["name"], calendar["x-wr-calname"]) == ("Talks & <tea>", "Talks & <tea>")
    assert calendar["description"] == "All that\nis known"


def test_a_table_imported_where_it_came_from_says_nothing_new(api: Client, story: str) -> None:
    assert _imported(api, story, ask(api, story, "csv").content) == {"unchanged": 7}


def test_a_table_imported_elsewhere_makes_the_same_events(api: Client, story: str) -> None:
    elsewhere = make_timeline(api)
    assert _imported(api, elsewhere, ask(api, story, "csv").content) == {"created": 7}
    own = {"timeline", "version", "reported_at", "recorded_at", "created_at"}

    def told(path: str) -> list[dict[str, Any]]:
        return [{key: one[key] for key in one.keys() - own} for one in api.read(path)["items"]]

    assert told(elsewhere) == told(story)


def _imported(client: Client, events: str, content: bytes) -> dict[str, int]:
    answer = client.send(
        "POST", events.replace("/events", "/import"), content=content, headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text
    return {name: many for name, many in answer.json().items() if many and name != "errors"}


def test_the_address_is_the_one_that_was_asked(api_database_url: str) -> None:
    with connected(api_database_url, base_url="https://dates.example:8443") as client:
        events = make_timeline(client)
        event = make_event(client, events, title=fresh_slug("away"))
        node = json.loads(ask(client, events, "jsonld").text)["@graph"][0]
        assert node["@id"] == f"https://dates.example:8443{events}/{event['id']}"


@EACH
@pytest.mark.parametrize("host", ["[", 'a"b<c>', "[::1]:99999999", "x" * 300, "\xe9"])
def test_whatever_a_client_calls_the_service(api: Client, story: str, name: str, host: str) -> None:
    headers = {b"Host": host.encode("latin-1")}
    answer = api.send("GET", story, params={"format": name, "sort": "date"}, headers=headers)
    assert answer.status_code == 200
    assert IDS[name](answer.text) == IDS[name](ask(api, story, name, sort="date").text)


def test_a_row_that_is_changed_is_reported_now(api: Client) -> None:
    """The table says since when a row was known; what somebody makes of it was not known then."""
    events = make_timeline(api)
    event = make_event(api, events, title="before", reported_at="2013-02-20T00:00:00Z")
    table = ask(api, events, "csv").text.replace("before", "after")
    assert _imported(api, events, table.encode()) == {"amended": 1}
    assert api.titles(events) == ["after"]
    assert api.titles(events, known_at="2013-03") == ["before"]
    assert api.read(f"{events}/{event['id']}", known_at="2013-03")["version"] == 1


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_many_may_ask_at_once_for_what_is_no_stream(api_database_url: str, name: str) -> None:
    """Who subscribes to a calendar asks at the full hour, as all others do."""
    with connected(api_database_url, pool_size=2) as client:
        events = make_timeline(client)
        make_event(client, events)
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: client.get(events, format=name).status_code, range(24)))
    assert set(answers) == {200}


@pytest.mark.parametrize("streams", [False, True])
def test_a_writer_that_fails_holds_nothing_back(
    api_database_url: str, monkeypatch: pytest.MonkeyPatch, *, streams: bool
) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("out of ink")

    with connected(api_database_url, pool_size=2) as client:
        events = make_timeline(client)
        for _ in range(3):
            make_event(client, events)
        if streams:
            monkeypatch.setattr("service.store.stream.MOST_EVENTS", 2)
            monkeypatch.setattr("service.api.listing.MOST_EVENTS", 2)
        with monkeypatch.context() as failing:
            failing.setattr("service.formats.csv.CsvWriter.write", fail)
            gc.disable()
            try:
                assert [client.get(events, format="csv").status_code for _ in range(4)] == [500] * 4
            finally:
                gc.enable()
        assert client.get(events, format="csv").status_code == 200


def test_events_of_two_timelines_under_one_identity_are_told_apart(api: Client) -> None:
    word = fresh_slug("twin")
    first, second = make_timeline(api), make_timeline(api)
    event = make_event(api, first, title=word)
    body = {"title": word, "when": "2013-02-25", "status": "planned"}
    assert api.put(f"{second}/{event['id']}", body).status_code == 201
    features = json.loads(ask(api, "/v1/events", "geojson", q=word).text)["features"]
    assert len({one["id"] for one in features}) == 2
    slides = json.loads(ask(api, "/v1/events", "timelinejs", q=word).text)["events"]
    assert len({one["unique_id"] for one in slides}) == 2


def test_the_page_of_an_event_shows_it(api: Client) -> None:
    events = make_timeline(api)
    for day in range(1, 29):
        for _ in range(10):
            make_event(api, events, when=f"2013-02-{day:02}")
    (event,) = [make_event(api, events, when="2013-03-25", title="Late")]
    (entry,) = Calendar.from_ical(ask(api, events, "ics", datetime="2013-03-25").text).walk("VEVENT")
    page, _, place = str(entry["url"]).partition("#")
    assert place == f"e-{event['id']}"
    assert f'id="{place}"' in api.get(page.removeprefix("http://localhost")).text
