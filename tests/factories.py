"""Bodies that a client may send, and the things that it makes of them.

Each slug is used once, so that tests share a database and never meet.
"""

from __future__ import annotations

import itertools
from typing import Any
from uuid import uuid4

from tests.client import Client

_SERIAL = itertools.count(1)
Json = dict[str, Any]


def fresh_slug(what: str) -> str:
    """Name something as nothing was named before."""
    return f"{what}-{next(_SERIAL)}"


def timeline_body(**members: object) -> Json:
    return {"slug": fresh_slug("story"), "title": "A story"} | members


def actor_body(**members: object) -> Json:
    return {"slug": fresh_slug("actor"), "name": "Someone", "kind": "person"} | members


def place_body(**members: object) -> Json:
    return {"slug": fresh_slug("place"), "name": "Somewhere"} | members


def source_body(**members: object) -> Json:
    return {"slug": fresh_slug("source"), "title": "A report"} | members


def event_body(**members: object) -> Json:
    return {"title": "A meeting", "when": "2013-02-25", "status": "planned"} | members


def _make(client: Client, path: str, body: Json) -> Json:
    answer = client.post(path, body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def make_timeline(client: Client, **members: object) -> str:
    """Create a timeline, and give the path of its events."""
    made = _make(client, "/v1/timelines", timeline_body(**members))
    return f"/v1/timelines/{made['slug']}/events"


def make_actor(client: Client, **members: object) -> str:
    """Create an actor, and give its slug."""
    return str(_make(client, "/v1/actors", actor_body(**members))["slug"])


def make_place(client: Client, **members: object) -> str:
    """Create a place, and give its slug."""
    return str(_make(client, "/v1/places", place_body(**members))["slug"])


def make_source(client: Client, **members: object) -> str:
    """Create a source, and give its slug."""
    return str(_make(client, "/v1/sources", source_body(**members))["slug"])


def make_event(client: Client, events: str, **members: object) -> Json:
    """Create an event in the timeline whose events are at this path."""
    return _make(client, events, event_body(**members))


def make_path(events: str) -> str:
    """Name an event that is not there yet."""
    return f"{events}/{uuid4()}"


def path_of(event: Json) -> str:
    """Give an event's address."""
    return f"/v1/timelines/{event['timeline']}/events/{event['id']}"


def tag_of(event: Json) -> str:
    """Give the entity tag of an event as it was read."""
    return f'"{event["version"]}"'


def amend(client: Client, event: Json, **members: object) -> Json:
    """Change an event as it stands, and give it as it stands then."""
    present = client.read(path_of(event))
    answer = client.patch(path_of(event), members, tag_of(present))
    assert answer.status_code == 200, answer.text
    changed: Json = answer.json()
    return changed
