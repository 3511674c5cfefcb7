"""An acknowledged write is durable, and whole: the commit comes before the first byte of the answer."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.client import Client
from tests.factories import (
    event_body,
    make_actor,
    make_event,
    make_path,
    make_place,
    make_source,
    make_timeline,
    path_of,
)
from tests.keys import ADMIN


class Witness:
    """Someone who, when the head of an answer arrives, looks at the database through a connection of their own."""

    def __init__(self, client: Client, direct: psycopg.Connection) -> None:
        self.client = client
        self.direct = direct

    def write(self, method: str, path: str, body: object, look: str, *values: object) -> tuple[int, Any]:
        """Write, and give the status and what stood in the database at that moment."""
        content = b"" if body is None else json.dumps(body).encode()
        seen: list[tuple[int, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401  # ASGI's message
            if message["type"] == "http.response.start":
                row = self.direct.execute(look, values).fetchone()
                seen.append((message["status"], None if row is None else row[0]))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [
                *((b"content-type", b"application/json"), (b"if-match", b"*"), (b"host", b"localhost")),
                (b"authorization", f"Bearer {ADMIN}".encode()),
            ],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        self.client.portal.call(self.client.app, scope, receive, send)
        ((status, found),) = seen
        return status, found


@pytest.fixture
def witness(api: Client, direct: psycopg.Connection) -> Witness:
    return Witness(api, direct)


TITLE = "SELECT title FROM event WHERE event_id = %s"
COUNT = "SELECT count(*) FROM event JOIN timeline USING (timeline_id) WHERE slug = %s"


def test_every_write_of_an_event_is_there_when_it_is_answered(api: Client, witness: Witness) -> None:
    events = make_timeline(api)
    slug = events.split("/")[3]
    assert witness.write("POST", events, event_body(), COUNT, slug) == (201, 1)
    event = make_event(api, events)
    identity = event["id"]
    assert witness.write("PUT", path_of(event), event_body(title="Replaced"), TITLE, identity) == (200, "Replaced")
    assert witness.write("PATCH", path_of(event), {"title": "Amended"}, TITLE, identity) == (200, "Amended")
    source = make_source(api)
    claims = "SELECT count(*) FROM claim WHERE event_id = %s"
    assert witness.write("POST", f"{path_of(event)}/claims", {"source": source}, claims, identity) == (201, 1)
    claim = api.read(f"{path_of(event)}/claims")["items"][0]["id"]
    assert witness.write("DELETE", f"{path_of(event)}/claims/{claim}", None, claims, identity) == (204, 0)
    link = f"{path_of(event)}/links/causes/{make_event(api, events)['id']}"
    links = "SELECT count(*) FROM event_link WHERE event_id = %s"
    assert witness.write("PUT", link, None, links, identity) == (201, 1)
    assert witness.write("DELETE", link, None, links, identity) == (204, 0)
    assert witness.write("DELETE", path_of(event), None, TITLE, identity) == (204, None)


def test_every_write_of_the_directory_is_there_when_it_is_answered(api: Client, witness: Witness) -> None:
    actor = {"slug": make_actor(api) + "-new", "name": "One", "kind": "person", "aliases": ["Uno"]}
    name = "SELECT name FROM actor WHERE slug = %s"
    path = f"/v1/actors/{actor['slug']}"
    assert witness.write("POST", "/v1/actors", actor, name, actor["slug"]) == (201, "One")
    assert witness.write("PATCH", path, {"name": "Two"}, name, actor["slug"]) == (200, "Two")
    assert witness.write("DELETE", path, None, name, actor["slug"]) == (204, None)


# All or nothing


def whole(direct: psycopg.Connection, identity: str) -> dict[str, list[Any]]:
    """Read all that the database holds of an event."""
    return {
        table: direct.execute(f"SELECT t::text FROM {table} t WHERE event_id = %s ORDER BY 1", [identity]).fetchall()  # noqa: S608
        for table in ("event", "event_participant", "event_topic", "claim", "event_link")
    }


@pytest.mark.one_server
@pytest.mark.parametrize("table", ["event_participant", "event_topic", "claim", "event_link"])
def test_an_event_and_its_parts_are_written_together_or_not_at_all(
    api: Client, direct: psycopg.Connection, table: str
) -> None:
    """Have the last of many rows fail, by a trigger, in each table in turn."""
    events = make_timeline(api)
    other = make_event(api, events)
    actor, place, source = make_actor(api), make_place(api), make_source(api)
    body = event_body(
        participants=[{"actor": actor}] * 2,
        place={"place": place},
        topics=["one", "two"],
        claims=[{"source": source}] * 2,
    )
    event = api.post(events, body).json()
    api.put(f"{path_of(event)}/links/causes/{other['id']}", None)
    before = whole(direct, event["id"])
    assert all(before.values())
    fresh = make_path(events)
    direct.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
    direct.execute(f"CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()")
    try:
        assert api.patch(path_of(event), {"title": "Changed", "topics": ["three"]}, "*").status_code == 500
        if table != "event_link":
            assert api.put(fresh, body).status_code == 500
            assert api.post(events, body).status_code == 500
    finally:
        direct.execute("DROP FUNCTION fail CASCADE")
    assert whole(direct, event["id"]) == before
    assert not any(whole(direct, fresh.rsplit("/", 1)[1]).values())
    assert len(api.walk(events)) == 2
    assert api.patch(path_of(event), {"title": "Changed"}, "*").status_code == 200


@pytest.mark.one_server
def test_a_failure_at_the_commit_itself_is_no_success(api: Client, direct: psycopg.Connection) -> None:
    """The latest moment at which a write can fail is the last that a client may hear of."""
    events = make_timeline(api)
    path = make_path(events)
    direct.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
    direct.execute(
        "CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE ON event DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    try:
        assert api.put(path, event_body()).status_code == 500
        assert api.post(events, event_body()).status_code == 500
    finally:
        direct.execute("DROP FUNCTION fail CASCADE")
    assert api.get(path).status_code == 404
    assert api.walk(events) == []
