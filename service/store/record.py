"""The one function that writes an event: its row, what belongs to it, and its document, together or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
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

from service.errors import AlreadyExists, NotFound
from service.store.query import timeline_id_of
from service.store.rows import derived_values, event_row, part_rows
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled
from service.tables import (
    actor,
    claim,
    event,
    event_link,
    event_participant,
    event_topic,
    place,
    source,
    timeline,
)
from service.wire.document import Draft, Surroundings, compose
from service.wire.event import Event


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it stands in the store: its document (UTF-8 JSON) and version."""

    document: bytes
    version: int


def new_id() -> UUID:
    """Make an identity: a UUID of version 7 (RFC 9562), so that new rows lie together in the index."""
    return uuid7()


async def record_event(connection: Connection, draft: Draft, previous: Event | None) -> Stored:
    """Write an event inside the caller's transaction, and give what was stored.

    `previous` is the locked present state, None for a new event. Raises NotFound without the timeline,
    Invalid for what the directory lacks, AlreadyExists where a new event's identity is taken.
    """
    document = compose(draft, previous, await _look_around(connection, draft))
    text = document.model_dump_json()
    row = event_row(document, text)
    if previous is None:
        made = await _INSERT.run(connection, row)
        if made.rowcount != 1:
            raise AlreadyExists("the identity is taken")
    else:
        changed = await _UPDATE.run(connection, row | {"expected_version": previous.version})
        if changed.rowcount != 1:
            raise NotFound("the event has gone meanwhile")
    for table, rows in part_rows(document, row).items():
        if previous is not None:
            await _DELETE_PARTS[table].run(connection, row)
        await _INSERT_PARTS[table].run_many(connection, rows)
    return Stored(text.encode(), document.version)


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


def _values(table: Table) -> dict[str, ColumnElement[Any]]:
    """Make a parameter of each column's own name and type; what the database computes has none."""
    return {
        column.name: bindparam(column.name, type_=column.type) for column in table.columns if column.computed is None
    }


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
_EVENT_VALUES = _values(event) | derived_values(lambda name, kind: bindparam(name, type_=kind))
# a taken identity is told by the number of rows, so that the transaction can go on
_INSERT: Statement = compiled(insert(event).values(_EVENT_VALUES).on_conflict_do_nothing())
_UPDATE: Statement = compiled(
    update(event)
    .where(
        event.c.timeline_id == TIMELINE_ID,
        event.c.event_id == bindparam("event_id", type_=event.c.event_id.type),
        event.c.version == bindparam("expected_version", type_=Integer),
    )
    .values({name: value for name, value in _EVENT_VALUES.items() if name not in ("timeline_id", "event_id")})
)
_PARTS = (event_participant, event_topic, claim, event_link)
_INSERT_PARTS = {table.name: compiled(insert(table).values(_values(table))) for table in _PARTS}
_DELETE_PARTS = {
    table.name: compiled(
        delete(table).where(
            table.c.timeline_id == TIMELINE_ID,
            table.c.event_id == bindparam("event_id", type_=table.c.event_id.type),
        )
    )
    for table in _PARTS
}
