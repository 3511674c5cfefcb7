"""An event without states: an older release wrote it, while the schema was already this one's."""

from __future__ import annotations

import psycopg
import pytest

from tests.client import Client
from tests.factories import Json, make_event, make_source, make_timeline, path_of, tag_of

FIRST, SECOND, THIRD = (f"2013-02-{day:02}T00:00:00Z" for day in (1, 5, 10))


@pytest.fixture
def stateless(api: Client, direct: psycopg.Connection) -> Json:
    """Make an event as an older release left it: of its second version, without states and without a change."""
    source = make_source(api)
    event = make_event(api, make_timeline(api), title="One", topics=["talks"], reported_at=SECOND)
    api.post(f"{path_of(event)}/claims", {"source": source, "asserts": {"status": "cancelled"}})
    for table in ("event_state", "state_facet", "change"):
        direct.execute(f"DELETE FROM {table} WHERE event_id = %s", [event["id"]])  # noqa: S608  # this file's words
    return api.read(path_of(event))


def states(api: Client, event: Json) -> list[tuple[int, Json, str | None]]:
    items = api.read(f"{path_of(event)}/history")["items"]
    return [(one["version"], one["known"], (one["document"] or {"title": None})["title"]) for one in items]


def test_its_row_is_its_first_state(api: Client, stateless: Json) -> None:
    answer = api.patch(path_of(stateless), {"title": "Two", "reported_at": THIRD}, tag_of(stateless))
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["created_at"]) == (3, stateless["created_at"])
    assert states(api, stateless) == [
        (3, {"from": THIRD, "to": None}, "Two"),
        (2, {"from": SECOND, "to": THIRD}, "One"),
    ]
    (_, first) = api.read(f"{path_of(stateless)}/history")["items"]
    assert (first["document"], first["author"]) == (stateless, "unknown")
    assert first["recorded_at"] == stateless["recorded_at"]
    events = f"/v1/timelines/{stateless['timeline']}/events"
    for filters in ({"topic": "talks"}, {"disputed": True}, {"q": "One"}, {"datetime": "2013-02-25"}):
        assert api.titles(events, known_at="2013-02-06", **filters) == ["One"]
    api.wait_for_feed()
    changes = api.read(f"/v1/timelines/{stateless['timeline']}/changes")["items"]
    assert [(one["operation"], one["version"], one["document"]["title"]) for one in changes] == [
        ("created", 2, "One"),
        ("amended", 3, "Two"),
    ]


def test_a_report_from_before_it_is_put_before_it(api: Client, stateless: Json) -> None:
    answer = api.patch(path_of(stateless), {"title": "Zero", "reported_at": FIRST}, tag_of(stateless))
    assert answer.json() == stateless
    assert [title for _, _, title in states(api, stateless)] == ["One", "Zero"]


def test_it_is_replaced_and_deleted_as_any_other(api: Client, stateless: Json) -> None:
    body = {"title": "Two", "when": "2013", "status": "planned"}
    refused = api.put(path_of(stateless), body)
    assert refused.status_code == 428
    assert api.delete(path_of(stateless), '"1"').status_code == 412
    assert api.get(f"{path_of(stateless)}/history").status_code == 404, "what was refused has written nothing"
    assert api.put(path_of(stateless), body, tag_of(stateless)).json()["version"] == 3
    assert api.delete(path_of(stateless), '"3"').status_code == 204
    assert [title for _, _, title in states(api, stateless)] == [None, "Two", "One"]
