"""The one function that writes an event: its row, what belongs to it, and its document, together or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from service.errors import Invalid, NotFound
from service.store.adapters import At
from service.store.changes import Operation, append_change
from service.store.clock import read_now
from service.store.failures import removing
from service.store.histogram_apart import count_apart
from service.store.histogram_changes import changing, coming, going
from service.store.placement import Placement
from service.store.query import timeline_id_of
from service.store.rows import derived_parameters, event_row, facets, part_rows
from service.store.selection import TIMELINE_ID, is_event
from service.store.statement import Connection, Statement, compiled, parameters
from service.store.states import (
    Identity,
    State,
    lock_identity,
    read_document,
    write_state,
    write_tombstone,
)
from service.tables import (
    actor,
    claim,
    event,
    event_link,
    event_participant,
    event_state,
    event_topic,
    place,
    source,
    state_facet,
    timeline,
)
from service.wire.document import Draft, Succession, Surroundings, compose
from service.wire.event import Event
from service.wire.history import says_the_same


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it stands after a write: its present document (UTF-8 JSON) and version, and the state recorded.

    `state` is another version than the present one where a report came late.
    """

    document: bytes
    version: int
    state: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a write says of itself: who wrote, why, from when on the world knew, whether it ends later reports.

    `at` is None for a report of this moment. One that is no news says nothing but what it changes.
    """

    author: str
    at: int | None = None
    reason: str | None = None
    supersedes: bool = False
    is_news: bool = True


def new_id() -> UUID:
    """Make an identity: a UUID of version 7 (RFC 9562), so that new rows lie together in the index."""
    return uuid7()


async def record_event(connection: Connection, draft: Draft, identity: Identity, report: Report) -> Stored:
    """Write a state of an event, the event as it stands, and the change, inside the caller's transaction.

    `identity` is locked. A report that is no news and changes nothing is not written. Raises NotFound without the
    timeline, Invalid for what the directory lacks and for a report from the future or from before the event was
    deleted.
    """
    around = await _look_around(connection, draft)
    around = replace(around, now=identity.clock(around.now))
    at = start_of(identity, report, around.now)
    placement = identity.counting.place(at, supersedes=report.supersedes)
    present = identity.present
    if present is not None and present.document is None and not placement.is_present:
        raise Invalid("the event has been deleted since then", pointer="/reported_at")
    before = identity.version(placement.before)
    past = None if before is None else await read_document(connection, draft.timeline, draft.event_id, before)
    former = None if past is None else Event.model_validate_json(past)
    follows = Succession(former, identity.newest + 1, identity.created_at)
    document = compose(draft, follows, around)
    if not report.is_news and former is not None and says_the_same(former, document):
        return standing(identity)
    text = document.model_dump_json()
    row = event_row(document, text) | {"was_planned": identity.was_planned(placement, document.status)}
    await write_state(connection, placement, row | {"facets": facets(document)} | _said(report, at, placement))
    if placement.is_present:
        await _write_present(connection, document, row, is_new=present is None or present.document is None)
        await append_change(connection, _operation(present), row | {"state": document.version})
        return Stored(text.encode(), document.version, document.version)
    assert present is not None  # noqa: S101  # or the placement were the present
    await _UPDATE_PLANNED.run(connection, row)
    await append_change(connection, "amended", row | {"state": document.version, "version": present.version})
    return replace(standing(identity), state=document.version)


async def record_tombstone(connection: Connection, timeline: str, identity: Identity, report: Report) -> None:
    """End what is known of an event: the event goes, its states stay, and a tombstone says who and when.

    Raises InUse while other events are linked to it.
    """
    present = identity.present
    assert present is not None  # noqa: S101  # the caller has seen the event
    now = identity.clock(await read_now(connection))
    at = start_of(identity, report, now)
    placement = identity.counting.place(at, supersedes=report.supersedes)
    key = {"timeline_id": timeline_id_of(timeline), "event_id": identity.event_id}
    row = key | {"version": identity.newest + 1, "recorded_at": At(now)} | _said(report, at, placement)
    await write_tombstone(connection, placement, row)
    await count_apart(connection, key, stays=False)
    with removing():
        await _DELETE.run(connection, key)
    await append_change(connection, "deleted", row | {"state": identity.newest + 1})


async def purge_event(connection: Connection, timeline: str, event_id: UUID) -> int:
    """Remove an event and every state of it for good, and give the number of states that went.

    What stays is that it was there: its writes in the feed, without documents, and the purge itself as the last of
    them. Raises NotFound where no state was ever recorded, InUse while other events are linked to it.
    """
    identity = await lock_identity(connection, timeline, event_id)
    if not identity.newest:
        raise NotFound(f"no event {event_id} in timeline {timeline!r}")
    key: dict[str, object] = {"timeline_id": timeline_id_of(timeline), "event_id": event_id}
    now = identity.clock(await read_now(connection))
    await count_apart(connection, key, stays=False)
    with removing():
        await _DELETE.run(connection, key)
    await _DELETE_FACETS.run(connection, key)
    gone = await _DELETE_STATES.run(connection, key)
    row = key | {"version": identity.newest, "state": identity.newest, "recorded_at": At(now)}
    await append_change(connection, "purged", row)
    return gone.rowcount


def standing(identity: Identity) -> Stored:
    """Give an event as it stands, untouched."""
    present = identity.present
    assert present is not None and present.document is not None  # noqa: S101, PT018  # the caller has seen it
    return Stored(present.document, present.version, present.version)


def start_of(identity: Identity, report: Report, now: int) -> int:
    """Say from when a report is known; one of this moment never before what is known already."""
    if report.at is None:
        return now if identity.present is None else max(now, identity.present.start)
    if report.at > now:
        raise Invalid("is in the future: nothing is known before it is reported", pointer="/reported_at")
    return report.at


def _operation(present: State | None) -> Operation:
    if present is None:
        return "created"
    return "revived" if present.document is None else "amended"


def _said(report: Report, at: int, placement: Placement) -> dict[str, object]:
    return {
        "known_from": At(at),
        "known_to": At(placement.end),
        "reported_at": At(at),
        "supersedes": report.supersedes,
        "author": report.author,
        "reason": report.reason,
    }


async def _write_present(connection: Connection, document: Event, row: dict[str, object], *, is_new: bool) -> None:
    await count_apart(connection, row, was_there=not is_new)
    await (_INSERT if is_new else _UPDATE).run(connection, row)
    for table, rows in part_rows(document, row).items():
        if not is_new:
            await _DELETE_PARTS[table].run(connection, row)
        await _INSERT_PARTS[table].run_many(connection, rows)


async def _look_around(connection: Connection, draft: Draft) -> Surroundings:
    body = draft.body
    cursor = await _SURROUNDINGS.run(
        connection,
        {
            "timeline_id": timeline_id_of(draft.timeline),
            "actors": [one.actor for one in body.participants],
            "places": [] if body.place is None else [body.place.place],
            "sources": [one.source for one in body.claims],
        },
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"no timeline {draft.timeline!r}")
    now, *names = row
    actors, places, sources = (json.loads(one) if one else {} for one in names)
    return Surroundings(now, actors, places, sources, new_id)


def _names(table: Table, asked: str) -> ColumnElement[Any]:
    """Look up the names of those asked for, as one JSON object by slug."""
    called = table.c.title if "title" in table.c else table.c.name
    slugs = bindparam(asked, type_=ARRAY(Text(collation="C")))
    return select(func.json_object_agg(table.c.slug, called)).where(table.c.slug == func.any(slugs)).scalar_subquery()


# the time of this statement, not of the transaction, which may have waited for another write of the same event
_SURROUNDINGS: Statement = compiled(
    select(func.clock_timestamp(), _names(actor, "actors"), _names(place, "places"), _names(source, "sources")).where(
        timeline.c.timeline_id == TIMELINE_ID
    )
)

_EVENT_VALUES = parameters(event) | derived_parameters()
_inserted = insert(event).values(_EVENT_VALUES)
_INSERT: Statement = compiled(coming(_inserted), distributed=[_inserted])
_updated = (
    update(event)
    .where(*is_event(event))
    .values({name: value for name, value in _EVENT_VALUES.items() if name not in ("timeline_id", "event_id")})
)
_UPDATE: Statement = compiled(changing(_updated), distributed=[_updated])
# from the states, which say where in the order each stands
_DELETE_FACETS: Statement = compiled(
    delete(state_facet).where(
        event_state.c.timeline_id == TIMELINE_ID,
        event_state.c.event_id == bindparam("event_id", type_=event_state.c.event_id.type),
        state_facet.c.timeline_id == event_state.c.timeline_id,
        state_facet.c.facet == func.any(event_state.c.facets),
        *(state_facet.c[name] == event_state.c[name] for name in ("reach", "start_earliest", "event_id", "version")),
    )
)
_UPDATE_PLANNED: Statement = compiled(
    update(event)
    .where(*is_event(event), event.c.was_planned != _EVENT_VALUES["was_planned"])
    .values(was_planned=_EVENT_VALUES["was_planned"])
)
_deleted = delete(event).where(*is_event(event))
_DELETE: Statement = compiled(going(_deleted), distributed=[_deleted])
_DELETE_STATES: Statement = compiled(delete(event_state).where(*is_event(event_state)))
_PARTS = (event_participant, event_topic, claim, event_link)
_INSERT_PARTS = {table.name: compiled(insert(table).values(parameters(table))) for table in _PARTS}
_DELETE_PARTS = {table.name: compiled(delete(table).where(*is_event(table))) for table in _PARTS}
