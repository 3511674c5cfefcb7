"""Load the first timeline from `seeds/`: each entry and event that is not there yet, in one transaction."""

from __future__ import annotations

import asyncio
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import yaml
from pydantic import Field

from service.errors import NotFound
from service.store.database import connected
from service.store.directory import ACTORS, PLACES, SOURCES, TIMELINES, Kind, create_entry, get_entry
from service.store.events import report_of
from service.store.query import owner, timeline_id_of
from service.store.record import record_event
from service.store.statement import Connection
from service.store.states import lock_identity
from service.store.timelines import holds_timelines, take_turn_to_seed
from service.wire.directory import ActorBody, PlaceEntryBody, SourceBody, TimelineBody
from service.wire.document import Draft
from service.wire.event import EventBody, EventPatch, Link, Rel
from service.wire.values import Body

SEED = Path(__file__).resolve().parents[1] / "seeds" / "syria-2013.yaml"

_SEEDER = owner("seed")
_STATEMENT_TIMEOUT_SECONDS = 60.0


class SeedLink(Body):
    """A link to another event of the file, by its key."""

    rel: Rel
    event: str


class SeedEvent(EventBody):
    """An event of the file: what a client would write, a key that names it in the file, and its links.

    `earlier` holds what it was before, oldest first: the members that were otherwise.
    """

    key: str
    earlier: list[EventPatch] = Field(default_factory=list)
    links: list[SeedLink] = Field(default_factory=list)


class Seed(Body):
    """A file of seeds: a timeline, the directory that it needs, its events."""

    timeline: TimelineBody
    actors: list[ActorBody]
    places: list[PlaceEntryBody]
    sources: list[SourceBody]
    events: list[SeedEvent]


def read_seed(path: Path = SEED) -> Seed:
    """Read a file of seeds. Raises pydantic.ValidationError where it is none."""
    return Seed.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def event_id_of(timeline: str, key: str) -> UUID:
    """Give the identity of an event of the file: the same wherever the file is loaded (UUID version 5)."""
    return uuid5(timeline_id_of(timeline), key)


def seed(url: str) -> int:
    """Load what of the file is not there yet, and give the number of events that were written.

    What is there stays as it is, whoever changed it.
    """
    return asyncio.run(_seed(url, read_seed(), only_if_empty=False))


def seed_if_empty(url: str) -> int:
    """Load the file into a store that holds no timeline at all, and give the number of events that were written."""
    return asyncio.run(_seed(url, read_seed(), only_if_empty=True))


async def _seed(url: str, seeds: Seed, *, only_if_empty: bool) -> int:
    async with (
        connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database,
        database.transaction() as connection,
    ):
        await take_turn_to_seed(connection)
        if only_if_empty and await holds_timelines(connection):
            return 0
        return await write_seed(connection, seeds)


async def write_seed(connection: Connection, seeds: Seed) -> int:
    """Write what of the seeds is not there yet, and give the number of events that were written."""
    for kind, bodies in (
        (TIMELINES, [seeds.timeline]),
        (ACTORS, seeds.actors),
        (PLACES, seeds.places),
        (SOURCES, seeds.sources),
    ):
        for body in bodies:
            await _add_entry(connection, kind, body)
    by_key = {event.key: event for event in seeds.events}
    # an event comes after those that it is linked to
    order = TopologicalSorter({key: [link.event for link in event.links] for key, event in by_key.items()})
    written = 0
    for key in order.static_order():
        written += await _add_event(connection, seeds.timeline.slug, by_key[key])
    return written


async def _add_entry(connection: Connection, kind: Kind[Any], body: Body) -> None:
    try:
        await get_entry(connection, kind, body.model_dump()["slug"], _SEEDER)
    except NotFound:
        await create_entry(connection, kind, body)


async def _add_event(connection: Connection, timeline: str, event: SeedEvent) -> bool:
    """Write an event of the file, unless it was ever written here: what was deleted or purged stays away."""
    event_id = event_id_of(timeline, event.key)
    identity = await lock_identity(connection, timeline, event_id)
    if identity.newest:
        return False
    links = tuple(Link(rel=link.rel, event=event_id_of(timeline, link.event)) for link in event.links)
    *earlier, last = _states_of(event, event_id)
    for body, tied in [*((body, ()) for body in earlier), (last, links)]:
        identity = await lock_identity(connection, timeline, event_id)
        await record_event(connection, Draft(timeline, event_id, body, tied), identity, report_of(body, _SEEDER))
    return True


def _states_of(event: SeedEvent, event_id: UUID) -> list[EventBody]:
    """Give an event's states, oldest first; a claim that is in several of them is the same claim."""
    last = event.model_dump(exclude={"key", "links", "earlier"}, exclude_unset=True)
    states = [last | one.model_dump(exclude_unset=True) for one in event.earlier] + [last]
    present = {_saying(claim): uuid5(event_id, f"claim-{i}") for i, claim in enumerate(last.get("claims", []))}
    for state in states:
        state["claims"] = [
            claim | {"id": present.get(_saying(claim)) or uuid5(event_id, f"claim {_saying(claim)}")}
            for claim in state.get("claims", [])
        ]
    return [EventBody.model_validate(state) for state in states]


def _saying(claim: dict[str, Any]) -> tuple[str, str | None]:
    """Tell claims apart by their source and its words."""
    return claim["source"], claim.get("quote")
