"""The histogram over HTTP: its buckets, its filters, its refusals, and what each write does to it."""

from __future__ import annotations

from uuid import UUID

import pytest

from service.purging import purge
from tests.client import Client
from tests.factories import (
    Json,
    event_body,
    make_event,
    make_path,
    make_place,
    make_timeline,
    path_of,
    tag_of,
)


def path_to(events: str) -> str:
    return f"{events.removesuffix('events')}histogram"


def histogram(api: Client, events: str, **query: str) -> list[Json]:
    """Read the histogram of the timeline whose events are at this path."""
    items: list[Json] = api.read(path_to(events), **{"by": "day"} | query)["items"]
    return items


def counts(api: Client, events: str, **query: str) -> dict[str, tuple[int, int]]:
    """Give certain and possible counts by the day, month or year in which a bucket begins."""
    found = histogram(api, events, **query)
    return {one["from"].removesuffix("T00:00:00Z"): (one["certain"], one["possible"]) for one in found}


def test_buckets_follow_upon_each_other_from_the_first_end_to_the_last(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events, when="[2013-02-26..2013-03-02]")
    make_event(api, events, when="2012-09/..")
    found = histogram(api, events, by="month")
    assert found[0] == {"from": "2012-09-01T00:00:00Z", "to": "2012-10-01T00:00:00Z", "certain": 1, "possible": 1}
    assert [one["to"] for one in found[:-1]] == [one["from"] for one in found[1:]]
    assert found[-1] == {"from": "2013-03-01T00:00:00Z", "to": "2013-04-01T00:00:00Z", "certain": 1, "possible": 2}


def test_an_empty_timeline_has_no_buckets_but_those_asked_for(api: Client) -> None:
    events = make_timeline(api)
    assert histogram(api, events) == []
    assert counts(api, events, datetime="2013-02-25/2013-02-26") == {"2013-02-25": (0, 0), "2013-02-26": (0, 0)}
    assert counts(api, events, by="year", datetime="2013/..") == {"2013-01-01": (0, 0)}
    assert counts(api, events, by="year", datetime="../2013", status="planned") == {"2013-01-01": (0, 0)}


def test_years_before_year_1_are_signed(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events, when="-0043-03-15")
    assert histogram(api, events, by="century") == [
        {"from": "-0099-01-01T00:00:00Z", "to": "0000-01-01T00:00:00Z", "certain": 1, "possible": 1}
    ]
    assert counts(api, events, by="decade") == {"-0049-01-01": (1, 1)}


@pytest.mark.parametrize(
    ("by", "start"),
    [
        ("day", "2013-01-01"), ("week", "2012-12-31"), ("month", "2013-01-01"), ("quarter", "2013-01-01"),
        ("year", "2013-01-01"), ("decade", "2010-01-01"), ("century", "2000-01-01"),
    ],
)  # fmt: skip
def test_each_unit_begins_where_the_calendar_says(api: Client, by: str, start: str) -> None:
    events = make_timeline(api)
    make_event(api, events, when="2013-01-01")
    assert counts(api, events, by=by) == {start: (1, 1)}


def test_filters_choose_what_is_counted_and_the_window_only_which_buckets(api: Client) -> None:
    events, place = make_timeline(api), make_place(api)
    make_event(api, events, when="2013-02/2013-04", place={"place": place}, title="A siege")
    make_event(api, events, when="2013-03-05", status="occurred", kind="meeting")
    window = {"by": "month", "datetime": "2013-03-20/2013-03-21"}
    assert counts(api, events, **window) == {"2013-03-01": (2, 2)}
    assert counts(api, events, place=place, **window) == {"2013-03-01": (1, 1)}
    assert counts(api, events, kind="meeting", status="occurred", **window) == {"2013-03-01": (1, 1)}
    assert counts(api, events, q="siege", **window) == {"2013-03-01": (1, 1)}
    assert counts(api, events, overdue="true", **window) == {"2013-03-01": (1, 1)}
    assert counts(api, events, disputed="true", **window) == {"2013-03-01": (0, 0)}


def test_every_write_is_counted_at_once(api: Client, api_database_url: str) -> None:
    """Creating, moving, a change of another kind, deleting, reviving, and purging."""
    events = make_timeline(api)
    window = {"datetime": "2013-02-25/2013-02-26"}
    path = make_path(events)
    first = api.put(path, event_body(when="2013-02-25")).json()
    assert counts(api, events, **window) == {"2013-02-25": (1, 1), "2013-02-26": (0, 0)}
    moved = api.patch(path, {"when": "{2013-02-24,2013-02-26}"}, if_match=tag_of(first)).json()
    assert counts(api, events, **window) == {"2013-02-25": (0, 0), "2013-02-26": (1, 1)}
    renamed = api.patch(path, {"title": "Talks"}, if_match=tag_of(moved)).json()
    assert counts(api, events, **window) == {"2013-02-25": (0, 0), "2013-02-26": (1, 1)}
    assert api.delete(path, if_match=tag_of(renamed)).status_code == 204
    assert histogram(api, events) == []
    assert api.put(path, event_body(when="2013-02-25")).status_code == 201
    assert counts(api, events) == {"2013-02-25": (1, 1)}
    purge(api_database_url, first["timeline"], UUID(first["id"]))
    assert histogram(api, events) == []


def test_a_late_report_counts_where_it_was_known(api: Client) -> None:
    events = make_timeline(api)
    made = make_event(api, events, when="2013-02-25", reported_at="2013-02-10T00:00:00Z")
    late = {"when": "2013-03-25", "reported_at": "2013-02-01T00:00:00Z"}
    assert api.patch(path_of(made), late, if_match=tag_of(made)).status_code == 200
    assert counts(api, events, by="month") == {"2013-02-01": (1, 1)}
    assert counts(api, events, by="month", known_at="2013-02-05") == {"2013-03-01": (1, 1)}
    assert histogram(api, events, known_at="2013-01") == []


def test_what_is_refused_is_named(api: Client) -> None:
    events = make_timeline(api)
    path = path_to(events)
    make_event(api, events, when="1913")
    make_event(api, events, when="2013-02-25")
    refused: list[tuple[dict[str, str], list[str]]] = [
        ({}, ["by"]),
        ({"by": "hour"}, ["by"]),
        ({"by": "day", "datetime": "2013-02-30"}, ["datetime"]),
        ({"by": "day", "relation": "within"}, ["relation"]),
        ({"by": "day", "certainty": "certain"}, ["certainty"]),
        ({"by": "day"}, ["by", "datetime"]),
        ({"by": "day", "status": "planned"}, ["by", "datetime"]),
        ({"by": "week", "datetime": "1913/2013"}, ["by", "datetime"]),
        ({"by": "day", "datetime": "../2013"}, ["by", "datetime"]),
    ]
    for query, names in refused:
        answer = api.get(path, **query)
        assert answer.status_code == 400, query
        assert [one["parameter"] for one in answer.json()["errors"]] == names, query
    assert "36,581 buckets" in api.get(path, by="day").json()["detail"]
    assert len(histogram(api, events, by="month")) == 1_202
