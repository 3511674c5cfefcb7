"""Dates as a client reads them: before year 1, without end, to the microsecond, beyond the axis."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.client import Client
from tests.factories import event_body, make_event, make_source, make_timeline, path_of


def bounds(first: str | None, second: str | None, third: str | None, fourth: str | None) -> dict[str, Any]:
    return {"start": {"earliest": first, "latest": second}, "end": {"earliest": third, "latest": fourth}}


BOUNDS = {
    "-0043-03-15": bounds(
        "-0043-03-15T00:00:00Z",
        "-0043-03-15T23:59:59.999999Z",
        "-0043-03-15T00:00:00.000001Z",
        "-0043-03-16T00:00:00Z",
    ),
    "0000": bounds(
        "0000-01-01T00:00:00Z", "0000-12-31T23:59:59.999999Z", "0000-01-01T00:00:00.000001Z", "0001-01-01T00:00:00Z"
    ),
    "2012-09/..": bounds("2012-09-01T00:00:00Z", "2012-09-30T23:59:59.999999Z", None, None),
    "2012-09/": bounds("2012-09-01T00:00:00Z", "2012-09-30T23:59:59.999999Z", "2012-09-01T00:00:00.000001Z", None),
    "[..2013-02-20]": bounds(None, "2013-02-20T23:59:59.999999Z", None, "2013-02-21T00:00:00Z"),
    "../2013-02-20": bounds(None, None, "2013-02-20T00:00:00.000001Z", "2013-02-21T00:00:00Z"),
    "Y12345": bounds(
        "+12345-01-01T00:00:00Z",
        "+12345-12-31T23:59:59.999999Z",
        "+12345-01-01T00:00:00.000001Z",
        "+12346-01-01T00:00:00Z",
    ),
    "1985-04-12T23:20:30+04:30": bounds(
        "1985-04-12T18:50:30Z",
        "1985-04-12T18:50:30.999999Z",
        "1985-04-12T18:50:30.000001Z",
        "1985-04-12T18:50:31Z",
    ),
}


@pytest.mark.parametrize("when", BOUNDS)
def test_bounds_survive_to_the_client(api: Client, when: str) -> None:
    events = make_timeline(api)
    event = make_event(api, events, when=when)
    assert event["bounds"] == BOUNDS[when]
    assert api.read(events)["items"] == [event]
    assert api.read("/v1/dates", edtf=when)["bounds"] == BOUNDS[when]


def test_the_farthest_years_sort_and_are_found_at_the_ends_of_the_axis(api: Client) -> None:
    events = make_timeline(api)
    dates = ["Y-170000002", "-4713", "-4712", "-0043", "0000", "2013", "9999", "Y294276", "Y170000002"]
    for when in dates:
        make_event(api, events, title=when, when=when)
    for limit in (1, 200):
        assert api.titles(events, limit=limit)[2:-1] == dates[2:-1]
        assert api.titles(events, limit=limit, sort="-date") == api.titles(events, limit=limit)[::-1]
    assert set(api.titles(events)[:2]) == set(dates[:2])
    assert api.titles(events)[-1] == "Y170000002"
    # what lies beyond the axis cannot be told from its last year
    assert api.titles(events, datetime="Y170000000/..") == ["Y294276", "Y170000002"]
    assert set(api.titles(events, datetime="../-0044")) == {"Y-170000002", "-4713", "-4712"}
    assert api.titles(events, datetime="-0043-03") == ["-0043"]
    assert "Y170000002" in api.titles(events, datetime="2013/..")
    first, last = (api.read(events, sort=sort, limit=1)["items"][0]["bounds"] for sort in ("date", "-date"))
    assert first["start"]["earliest"] is None
    assert last["end"]["latest"] is None


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2013-02-20T12:00:00.000001Z", "2013-02-20T12:00:00.000001Z"),
        ("2013-02-20T12:00:00.100000+01:00", "2013-02-20T11:00:00.1Z"),
        ("2013-02-20t12:00:00z", "2013-02-20T12:00:00Z"),
        ("0001-01-01T00:00:00+23:59", "0000-12-31T00:01:00Z"),
        ("-0043-03-15T12:00:00Z", "-0043-03-15T12:00:00Z"),
        ("-4712-01-01T00:00:00Z", "-4712-01-01T00:00:00Z"),
    ],
)
def test_what_was_reported_when_survives_to_the_microsecond(
    api: Client, direct: psycopg.Connection, given: str, shown: str
) -> None:
    source = make_source(api)
    event = make_event(api, make_timeline(api), reported_at=given, claims=[{"source": source, "reported_at": given}])
    read = api.read(path_of(event))
    assert (read["reported_at"], read["claims"][0]["reported_at"]) == (shown, shown)
    again = api.put(path_of(event), event_body(reported_at=shown), if_match="*")
    assert again.json()["reported_at"] == shown
    stored = direct.execute("SELECT reported_at::text FROM event WHERE event_id = %s", [event["id"]]).fetchone()
    assert stored is not None


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "yesterday",
        "2013-02-20",
        "2013-02-20T12:00:00",
        "2013-02-30T12:00:00Z",
        "2013-02-20T24:00:00Z",
        "2013-02-20T12:00:60Z",
        "-4713-12-31T23:59:59Z",
        "+294277-01-01T00:00:00Z",
        "2013-02-20T12:00:00.1234567Z",
        "\u0662013-02-20T12:00:00Z",
        "infinity",
        1361361600,
    ],
)
def test_what_is_no_instant_is_refused(api: Client, wrong: object) -> None:
    answer = api.post(make_timeline(api), event_body(reported_at=wrong))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/reported_at")


def test_what_the_store_sets_no_client_does(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events)
    set_by_the_store = ("id", "timeline", "version", "recorded_at", "created_at", "bounds", "precision", "previously")
    for name in (*set_by_the_store, "links", "approximate", "uncertain"):
        for answer in (
            api.post(events, event_body(**{name: event[name]})),
            api.patch(path_of(event), {name: event[name]}, "*"),
        ):
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{name}")


def test_an_expression_is_explained(api: Client) -> None:
    assert api.read("/v1/dates", edtf="?2004-?06") == {
        "edtf": "?2004-?06",
        "canonical": "2004-06?",
        "level": 1,
        "precision": "month",
        "approximate": False,
        "uncertain": True,
        "bounds": bounds(
            "2004-06-01T00:00:00Z",
            "2004-06-30T23:59:59.999999Z",
            "2004-06-01T00:00:00.000001Z",
            "2004-07-01T00:00:00Z",
        ),
        "words": api.read("/v1/dates", edtf="2004-06?")["words"],
    }


@pytest.mark.parametrize("wrong", ["", "2013-02-30", "Y1985", "/", "x" * 201, "2013\x00", "Y" + "9" * 400, "²⁰¹³"])
def test_what_is_no_expression_is_refused(api: Client, wrong: str) -> None:
    answer = api.get("/v1/dates", edtf=wrong)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "edtf")
