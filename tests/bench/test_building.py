"""What the database builds of the tables is what the service has stored, but for what only parsing a date tells."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from bench.building import build_event, build_page
from bench.peers import item_of
from service.store.query import Keyset, timeline_id_of
from tests.client import connected
from tests.factories import make_actor, make_event, make_place, make_source, make_timeline

DERIVED = ("precision", "approximate", "uncertain")


def same(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Write instants in one way."""
    match value:
        case dict():
            return {name: same(one) for name, one in value.items() if name not in DERIVED}
        case list():
            return [same(one) for one in value]
        case str() if value[4:5] == "-" and "T" in value:
            return datetime.fromisoformat(value).isoformat()
        case _:
            return value


def test_an_event_and_a_page_are_built_as_they_are_stored(database_url: str) -> None:
    with connected(database_url, worker=False) as client:
        events = make_timeline(client)
        actor, place, source = make_actor(client), make_place(client), make_source(client)
        full = {
            "participants": [{"actor": actor, "role": "host"}, {"actor": actor, "name": "J. K."}],
            "place": {"place": place}, "topics": ["b", "a"],
            "claims": [{"source": source, "asserts": {"status": "planned"}}, {"source": source, "quote": "So."}],
        }  # fmt: skip
        first = make_event(client, events, when="2013-02", **full)
        second = make_event(client, events, when="2013-03/..")
        path = f"{events}/{first['id']}"
        link = client.put(f"{path}/links/causes/{second['id']}", None)
        assert link.status_code == 201, link.text
        moved = client.patch(path, {"when": "2013-02-25"}, client.get(path).headers["ETag"])
        assert moved.status_code == 200, moved.text
        stored = client.get(events).json()["items"]
    timeline = timeline_id_of(stored[0]["timeline"])
    with psycopg.connect(database_url, options="-c TimeZone=UTC") as connection:
        built = [connection.execute(build_event(timeline, UUID(one["id"])).encode()).fetchone() for one in stored]
        page = connection.execute(build_page(timeline, Keyset(0, UUID(int=0), timeline), 50).encode()).fetchone()
    assert len(stored) == 2
    assert [same(row[0]) for row in built if row] == same(stored)
    assert page is not None
    assert same(page[0]) == same(stored)
    assert stored[0]["links"]
    assert stored[0]["previously"]


def test_an_event_is_an_item_at_its_place() -> None:
    from bench.events import PLACES, made_up_events  # noqa: PLC0415  # they take a while to make up

    document = next(
        found for one in made_up_events("bench", 0, 50) if (found := json.loads(one.model_dump_json()))["place"]
    )
    item = item_of(document, "2013-02-25T00:00:00+00:00", "2013-02-26T00:00:00+00:00")
    place = next(one for one in PLACES if one.slug == document["place"]["place"])
    assert item["geometry"]["coordinates"] == [place.longitude, place.latitude]
    assert item["properties"]["start_datetime"] == "2013-02-25T00:00:00+00:00"
    assert item["properties"]["title"] == document["title"]
    assert item["id"] == document["id"]
