"""The range query: each parameter of it, alone and together."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from service.dates import Answer, Relation, parse, parse_window, relate
from tests.api.test_cursors import DATES
from tests.client import Client
from tests.factories import make_actor, make_event, make_place, make_source, make_timeline, path_of

WINDOWS = ("2013-02", "2013-02-20/2013-02-28", "../1914-07-28", "2013-02-25/..", "-0043", "Y170000002", "1560-X2")


@pytest.fixture(scope="module")
def dated(api: Client) -> str:
    events = make_timeline(api)
    for when in DATES:
        make_event(api, events, title=when, when=when)
    return events


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("relation", list(Relation))
def test_the_answers_are_those_of_the_dates(api: Client, dated: str, window: str, relation: Relation) -> None:
    answers = [(when, relate(relation, parse(when), parse_window(window))) for when in DATES]
    possible = [when for when, answer in answers if answer is not Answer.IMPOSSIBLE]
    certain = [when for when, answer in answers if answer is Answer.CERTAIN]
    asked: dict[str, Any] = {"datetime": window, "relation": str(relation), "limit": 200}
    assert sorted(api.titles(dated, **asked)) == sorted(possible)
    assert sorted(api.titles(dated, **asked, certainty="possible")) == sorted(possible)
    assert sorted(api.titles(dated, **asked, certainty="certain")) == sorted(certain)


def test_without_a_window_everything_is_meant(api: Client, dated: str) -> None:
    assert len(api.titles(dated)) == len(DATES)
    assert len(api.titles(dated, certainty="certain")) == len(DATES)


def test_events_are_in_the_order_of_their_earliest_start_then_of_their_identity(api: Client, dated: str) -> None:
    page = api.read(dated, limit=200)["items"]
    keys = [(parse(event["when"]).bounds.start_earliest, event["id"]) for event in page]
    assert keys == sorted(keys)
    assert api.read(dated, limit=200, sort="-date")["items"] == page[::-1]


def test_the_newest_record_comes_first(api: Client) -> None:
    events = make_timeline(api)
    made = [make_event(api, events, title=title, when=when) for title, when in (("a", "2013"), ("b", "2012"))]
    assert api.titles(events, sort="-recorded") == ["b", "a"]
    api.patch(path_of(made[0]), {"summary": "amended"}, "*")
    assert api.titles(events, sort="-recorded") == ["a", "b"]
    assert api.titles(events, sort="-recorded", datetime="2012") == ["b"]


# Filters


@pytest.fixture(scope="module")
def facets(api: Client) -> dict[str, Any]:
    """Make eight events: each of two values of each filter, by the bits of its number."""
    events = make_timeline(api)
    made: dict[str, Any] = {
        "events": events,
        "actor": [make_actor(api), make_actor(api)],
        "place": [make_place(api), make_place(api)],
        "source": [make_source(api), make_source(api)],
        "topic": ["war", "peace"],
        "kind": ["meeting", "statement"],
        "status": ["planned", "cancelled"],
    }
    for i in range(8):
        one, two, three = i & 1, i >> 1 & 1, i >> 2
        make_event(
            api,
            events,
            title=str(i),
            when=f"2013-02-0{i + 1}",
            kind=made["kind"][one],
            topics=[made["topic"][two], "all"],
            status=made["status"][three],
            participants=[{"actor": made["actor"][two]}] * 2,
            place={"place": made["place"][three]},
            claims=[{"source": made["source"][one]}] * 3,
        )
    return made


BIT = {"kind": 0, "source": 0, "topic": 1, "actor": 1, "status": 2, "place": 2}


@pytest.mark.parametrize("name", BIT)
def test_each_filter_takes_any_of_its_values(api: Client, facets: dict[str, Any], name: str) -> None:
    events, values = facets["events"], facets[name]
    for chosen in (0, 1):
        expected = [str(i) for i in range(8) if i >> BIT[name] & 1 == chosen]
        assert api.titles(events, **{name: values[chosen]}) == expected
    assert api.titles(events, **{name: values}) == [str(i) for i in range(8)]
    assert api.titles(events, **{name: [values[0], values[0]]}) == api.titles(events, **{name: values[0]})


@pytest.mark.parametrize("name", sorted(set(BIT) - {"status"}))
def test_a_value_that_no_event_has_finds_nothing(api: Client, facets: dict[str, Any], name: str) -> None:
    page = api.read(facets["events"], **{name: "no-such"}, count="exact")
    assert page == {"items": [], "next": None, "count": 0}
    assert len(api.titles(facets["events"], **{name: ["no-such", facets[name][0]]})) == 4


@pytest.mark.parametrize("sort", ["date", "-date", "-recorded"])
@pytest.mark.parametrize("number", range(8))
def test_filters_together_mean_all_of_them(api: Client, facets: dict[str, Any], number: int, sort: str) -> None:
    chosen = {name: facets[name][number >> bit & 1] for name, bit in BIT.items()}
    assert api.titles(facets["events"], **chosen, sort=sort) == [str(number)]
    assert api.titles(facets["events"], **chosen, sort=sort, datetime=f"2013-02-0{number + 1}") == [str(number)]
    assert api.titles(facets["events"], **chosen, sort=sort, datetime="2013-03") == []


def test_filters_hold_in_a_window(api: Client, facets: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"datetime": "2013-02-02/2013-02-06", "topic": "all", "kind": ["meeting", "statement"]}
    assert api.titles(facets["events"], **asked) == ["1", "2", "3", "4", "5"]
    assert api.titles(facets["events"], **asked, actor=facets["actor"][0]) == ["1", "4", "5"]


# Overdue


def test_overdue_is_what_should_have_been_and_is_not_said_to_have_been(api: Client) -> None:
    events = make_timeline(api)
    overdue = [("planned", "2013"), ("tentative", "2013-02-25"), ("planned", "[..2013-02-20]"), ("planned", "-0043")]
    others = [
        ("occurred", "2013"),
        ("postponed", "2013"),
        ("cancelled", "2013"),
        ("planned", "2013/.."),
        ("planned", "2013/"),
        ("planned", "9999"),
        ("tentative", "[2013,9999]"),
    ]
    for status, when in overdue + others:
        make_event(api, events, title=f"{status} {when}", status=status, when=when)
    for sort in ("date", "-recorded"):
        assert set(api.titles(events, overdue="true", sort=sort)) == {" ".join(one) for one in overdue}
        assert set(api.titles(events, overdue="false", sort=sort)) == {" ".join(one) for one in others}
    assert api.read(events, overdue="true", count="exact")["count"] == len(overdue)


# How many


def test_a_page_holds_fifty_unless_asked_otherwise(api: Client) -> None:
    events = make_timeline(api)
    for i in range(51):
        make_event(api, events, title=str(i))
    page = api.read(events)
    assert (len(page["items"]), page["count"]) == (50, None)
    assert len(api.read(events, cursor=page["next"])["items"]) == 1
    assert api.read(events, limit=51)["next"] is None
    for wrong in (0, -1, 201, "many", "", "1.5", "9" * 30):
        answer = api.get(events, limit=wrong)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "limit"), wrong


def test_counts_are_exact_when_asked_and_near_when_estimated(api: Client, direct: psycopg.Connection) -> None:
    events = make_timeline(api)
    for kind in ("meeting", "statement"):
        make_event(api, events, kind=kind, when="2013")
    direct.execute(
        "INSERT INTO event (timeline_id, event_id, title, edtf, start_earliest, start_latest, end_earliest, end_latest,"
        " every_piece, status, kind, previously, version, reported_at, recorded_at, created_at, search, document)"
        " SELECT timeline_id, gen_random_uuid(), title, edtf, start_earliest, start_latest, end_earliest, end_latest,"
        " every_piece, status, kind, previously, version, reported_at, recorded_at, created_at, search, document"
        " FROM event, generate_series(1, 1500) WHERE kind = 'meeting' AND timeline_id ="
        " (SELECT timeline_id FROM timeline WHERE slug = %s)",
        [events.split("/")[3]],
    )
    direct.execute("ANALYZE event")
    assert api.read(events, count="none")["count"] is None
    assert api.read(events, count="exact")["count"] == 1502
    assert api.read(events, count="exact", datetime="2012")["count"] == 0
    assert api.read(events, count="estimated", kind="statement")["count"] == 1
    assert 1001 <= api.read(events, count="estimated")["count"] <= 2 * 1502
    assert 1001 <= api.read(events, count="estimated", datetime="2013", sort="-date")["count"] <= 2 * 1502
    page = api.read(events, count="exact", limit=1)
    assert api.read(events, count="exact", limit=1, cursor=page["next"])["count"] == 1502


# What is refused


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (
            "datetime",
            ["", "2013-02-30", "../..", "/", "2004/2003", "yesterday", "2013 ", "2" * 400, "2013\x00", "²013"],
        ),
        ("relation", ["", "overlaps", "WITHIN"]),
        ("certainty", ["", "impossible", "maybe"]),
        ("status", ["", "done", "Planned"]),
        ("kind", ["", "A meeting", "x" * 81, "é", "a--b", "-a", "a\n", "a\x00"]),
        ("actor", ["", "John Kerry"]),
        ("place", ["", "Moscow"]),
        ("topic", ["", "war,peace"]),
        ("source", ["", "a/b"]),
        ("overdue", ["", "maybe", "2"]),
        ("q", ["", "a\x00", "x" * 501]),
        ("sort", ["", "title", "recorded", "-relevance", "relevance"]),
        ("count", ["", "all", "true"]),
        ("format", ["", "xml", "CSV"]),
        ("known_at", ["yesterday"]),
        ("dry_run", ["true"]),
    ],
)
def test_a_value_that_is_not_allowed_is_named(api: Client, dated: str, name: str, wrong: list[str]) -> None:
    for value in wrong:
        answer = api.get(dated, **{name: value})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter"), value
        assert [error["parameter"] for error in answer.json()["errors"]] == [name], value


def test_a_relation_without_a_window_is_refused(api: Client, dated: str) -> None:
    for relation in Relation:
        answer = api.get(dated, relation=relation.value)
        assert answer.status_code == 400
        assert [error["parameter"] for error in answer.json()["errors"]] == ["relation"]


@pytest.mark.parametrize("name", ["kind", "actor", "place", "topic", "source", "status"])
def test_one_wrong_value_of_several_is_named(api: Client, dated: str, name: str) -> None:
    answer = api.get(dated, **{name: ["planned", "Wrong One"]})
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [name]
    assert api.get(dated, **{name: ["planned"] * 51}).status_code == 400


def test_a_wrong_date_says_where_and_what_was_expected(api: Client, dated: str) -> None:
    detail = api.get(dated, datetime="2013-02-30").json()["errors"][0]["detail"]
    assert "position" in detail
    assert "expected" in detail
