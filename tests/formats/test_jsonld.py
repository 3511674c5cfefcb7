"""Linked data says no more of an event than what is true of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given

from service.dates import DISTANT_FUTURE, DISTANT_PAST, parse, parse_window
from service.formats.jsonld import JsonLdWriter
from service.formats.writing import Batch
from service.wire.directory import Coordinates
from service.wire.document import Draft, Succession, Surroundings, compose
from service.wire.event import Event, EventBody, Link
from tests.formats.making import COLLECTION, RECORDED_AT, SERVICE, batch, events, make, thorough, whens, written


def nodes_of(*batches: Batch) -> list[dict[str, Any]]:
    """Write a graph, and give its nodes."""
    document = json.loads(written(JsonLdWriter(COLLECTION), *batches))
    assert document.keys() == {"@context", "@graph"}
    assert document["@context"][0] == "https://schema.org"
    nodes: list[dict[str, Any]] = document["@graph"]
    return nodes


def node_of(event: Event, **places: Coordinates) -> dict[str, Any]:
    """Write an event, and give its node."""
    (node,) = nodes_of(batch(event, places=places))
    return node


def members_of(value: object) -> Iterator[object]:
    """Give all that stands in a document, however deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield one
        yield from members_of(one)


def holds(text: str, *instants: int) -> bool:
    """Tell whether what a date of the calendar names holds instants."""
    start, end = parse_window(text)
    return all(start <= instant < end for instant in instants)


@thorough
@given(whens)
@example("0001")
@example("9999")
@example("2013-02-25T23:59:59Z/2013-02-26")
def test_the_dates_that_are_given_hold_all_that_are_possible(when: str) -> None:
    expression, node = parse(when), node_of(make(when))
    bounds = expression.bounds
    assert node["when"] == when
    if expression.approximate or expression.uncertain:
        assert not {"startDate", "endDate"} & node.keys()
        return
    if "startDate" in node:
        assert holds(node["startDate"], bounds.start_earliest, bounds.start_latest)
    else:
        assert not in_one_year(bounds.start_earliest, bounds.start_latest)
    if "endDate" in node:
        assert holds(node["endDate"], bounds.end_earliest - 1, bounds.end_latest - 1)
    else:
        assert not in_one_year(bounds.end_earliest - 1, bounds.end_latest - 1)


def in_one_year(earliest: int, latest: int) -> bool:
    """Tell whether both instants lie in the same of the years 1 to 9999."""
    if earliest < parse_window("0001").start or latest >= parse_window("9999").end:
        return False
    return any(holds(f"{year:04d}", earliest, latest) for year in range(1, 10_000) if holds(f"{year:04d}", earliest))


@pytest.mark.parametrize(
    ("when", "start", "end"),
    [
        ("2013-02-25", "2013-02-25", "2013-02-25"),
        ("2013-02", "2013-02", "2013-02"),
        ("2013", "2013", "2013"),
        ("2013-02-24/2013-03", "2013-02-24", "2013-03"),
        ("2013-02-24?", None, None),
        ("2013~", None, None),
        ("2012?-06-30", None, None),
        ("[2013-02-24..2013-02-28]", "2013-02", "2013-02"),
        ("[2013-02-24..2013-03-01]", "2013", "2013"),
        ("2001-21", "2001", "2001"),
        ("2001-24", None, None),
        ("2012-09/..", "2012-09", None),
        ("2012-09/", "2012-09", None),
        ("../2012-09", None, "2012-09"),
        ("/2012-09", None, "2012-09"),
        ("[..2013-02-20]", None, None),
        ("[2013-02-15..]", None, None),
        ("201X", None, None),
        ("2013-02-25T10:00:00+02:00", "2013-02-25T08:00:00Z", "2013-02-25T08:00:00Z"),
        ("0001-01-01", "0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31", "9999-12-31"),
        ("0000", None, None),
        ("-0043-03-15", None, None),
        ("Y12013", None, None),
        ("0000/0001", None, "0001"),
    ],
)
def test_a_date_is_the_shortest_that_is_certain(when: str, start: str | None, end: str | None) -> None:
    node = node_of(make(when))
    assert (node.get("startDate"), node.get("endDate")) == (start, end)


@thorough
@given(events())
def test_what_is_not_said_is_left_out_and_all_else_is_as_it_was(event: Event) -> None:
    node = node_of(event)
    assert all(one is not None and one != [] for one in members_of(node))
    assert node["name"] == event.title
    assert node.get("description") == event.summary
    assert node["@id"] == f"{SERVICE}/v1/timelines/{event.timeline}/events/{event.id}"
    assert node.get("keywords", []) == event.topics
    works = [one.get("isPartOf", one) for one in node.get("subjectOf", [])]
    assert [work["name"] for work in works] == [one.title for one in event.claims]
    assert [one.get("text") for one in node.get("subjectOf", [])] == [one.quote for one in event.claims]
    people = [one.get("attendee", one) for one in node.get("attendee", [])]
    assert [who["name"] for who in people] == [one.name for one in event.participants]
    former = event.previously[0] if event.previously else None
    if "previousStartDate" in node:
        assert former is not None
        bounds = parse(former.when).bounds
        assert holds(node["previousStartDate"], bounds.start_earliest, bounds.start_latest)


@pytest.mark.parametrize(
    ("status", "at_once", "moved"),
    [
        ("planned", "EventScheduled", "EventRescheduled"),
        ("tentative", "EventScheduled", "EventScheduled"),
        ("occurred", "EventScheduled", "EventScheduled"),
        ("postponed", "EventPostponed", "EventPostponed"),
        ("cancelled", "EventCancelled", "EventCancelled"),
    ],
)
def test_a_status_is_one_of_schema_org(status: str, at_once: str, moved: str) -> None:
    first = make("2013-02-24", status=status)
    before, after = node_of(first), node_of(make("2013-02-25", former=first, status=status))
    assert before["eventStatus"] == f"https://schema.org/{at_once}"
    assert after["eventStatus"] == f"https://schema.org/{moved}"
    assert "previousStartDate" not in before
    assert after["previousStartDate"] == "2013-02-24"


def test_the_former_start_is_the_last_that_was_given_up() -> None:
    first = make("2013-02-23")
    second = make("2013-02-24", former=first)
    assert node_of(make("2013-02-25", former=second))["previousStartDate"] == "2013-02-24"
    assert "previousStartDate" not in node_of(make("2013-02-25", former=make("201X")))


def test_who_where_and_what_are_nodes_of_their_own() -> None:
    node = node_of(
        make(
            place={"place": "moscow", "name": "The Kremlin"},
            participants=[{"actor": "a", "name": "Ann"}, {"actor": "b", "name": "Ben", "role": "host"}],
            claims=[
                {"source": "s", "title": "S"},
                {"source": "s", "title": "S", "quote": "So it is.", "attributed_to": "Ann"},
            ],
        ),
        moscow=Coordinates(55.75, 37.625),
    )
    assert node["location"] == {
        "@id": f"{SERVICE}/v1/places/moscow",
        "@type": "Place",
        "name": "The Kremlin",
        "geo": {"@type": "GeoCoordinates", "latitude": 55.75, "longitude": 37.625},
    }
    ben = {"@id": f"{SERVICE}/v1/actors/b", "name": "Ben"}
    assert node["attendee"] == [
        {"@id": f"{SERVICE}/v1/actors/a", "name": "Ann"},
        {"@type": "Role", "roleName": "host", "attendee": ben},
    ]
    work = {"@id": f"{SERVICE}/v1/sources/s", "@type": "CreativeWork", "name": "S"}
    quoted = {"@type": "Quotation", "text": "So it is.", "creator": {"name": "Ann"}, "isPartOf": work}
    assert node["subjectOf"] == [work, quoted]


def test_what_it_is_part_of_is_linked_to() -> None:
    whole, cause = make().id, make(timeline="b").id
    links = (Link(rel="causes", event=cause), Link(rel="part_of", event=whole))
    body = EventBody(title="A", when="2013", status="planned")
    around = Surroundings(RECORDED_AT, {}, {}, {}, lambda: whole)
    event = compose(Draft("syria-2013", whole, body, links), Succession(None, 1, None), around)
    assert node_of(event)["superEvent"] == [{"@id": f"{SERVICE}/v1/timelines/syria-2013/events/{whole}"}]


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (2, 0, 1), (0, 1, 1, 0)])
def test_batches_are_one_graph(sizes: tuple[int, ...]) -> None:
    batches = [batch(*(make(title=f"{number}.{one}") for one in range(size))) for number, size in enumerate(sizes)]
    names = [node["name"] for node in nodes_of(*batches)]
    assert names == [f"{number}.{one}" for number, size in enumerate(sizes) for one in range(size)]


def test_the_infinities_lie_in_no_year() -> None:
    assert not in_one_year(DISTANT_PAST, DISTANT_PAST)
    assert not in_one_year(DISTANT_FUTURE, DISTANT_FUTURE)
    assert in_one_year(RECORDED_AT, RECORDED_AT)


@pytest.mark.parametrize(("reason", "said"), [(None, "tentative"), ("Not sure yet.", "tentative: Not sure yet.")])
def test_what_schema_org_has_no_word_for_is_said_in_ours(reason: str | None, said: str) -> None:
    assert node_of(make(status="tentative", status_reason=reason))["disambiguatingDescription"] == said
