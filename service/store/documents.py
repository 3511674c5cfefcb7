"""Documents of an older shape: how many there are, and how they are brought to the present one.

A document is given its present shape as it stands: its version, what the feed says, and what queries find it by stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    tuple_,
    update,
)

from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled
from service.tables import event, event_state, timeline
from service.wire.shape import document_shape, upgraded

# What is counted where a figure will do: more than so many are as bad.
COUNTED_UP_TO = 10_000
# What a batch writes, others may wait for.
BATCH_DOCUMENTS = 100

_SHAPE = bindparam("document_shape", type_=event.c.shape.type)
_LIMIT = bindparam("limit", type_=Integer)
_KEYS = {"event": ("event_id",), "event_state": ("event_id", "version")}
_AFTER = {
    "event_id": bindparam("after_event", type_=event.c.event_id.type),
    "version": bindparam("after_version", type_=Integer),
}
_TABLES = (event, event_state)


class Place(NamedTuple):
    """How far a timeline's documents of one table have been gone through."""

    event_id: UUID
    version: int


START = Place(UUID(int=0), 0)


def _is_older(documents: Table, timeline_id: ColumnElement[UUID]) -> Iterator[ColumnElement[bool]]:
    yield documents.c.timeline_id == timeline_id
    yield documents.c.shape < _SHAPE
    yield documents.c.document.is_not(None)


def _older(documents: Table) -> Select[tuple[int]]:
    """Select a row for each document of an older shape: timeline by timeline, as the index has them."""
    timeline_id = literal_column("timeline.timeline_id", timeline.c.timeline_id.type)
    found = select(literal_column("1")).where(*_is_older(documents, timeline_id)).limit(_LIMIT).lateral("found")
    return select(literal_column("1")).select_from(timeline.join(found, true())).limit(_LIMIT)


def _batch(documents: Table) -> Statement:
    """Select some documents in the order of the key, and lock them; those that another holds are for the next time."""
    key = [documents.c[name] for name in _KEYS[documents.name]]
    after = tuple_(*key) > tuple_(*(_AFTER[one.name] for one in key))
    return compiled(
        select(documents.c.event_id, documents.c.version, documents.c.document)
        .where(*_is_older(documents, TIMELINE_ID), after)
        .order_by(*key)
        .limit(_LIMIT)
        .with_for_update(key_share=True, skip_locked=True)
    )


def _rewritten(documents: Table) -> Statement:
    key = [documents.c[name] == bindparam(f"of_{name}", type_=documents.c[name].type) for name in _KEYS[documents.name]]
    document = cast(bindparam("new_document", type_=Text), documents.c.document.type)
    return compiled(
        update(documents).where(documents.c.timeline_id == TIMELINE_ID, *key).values(document=document, shape=_SHAPE)
    )


def _counted(documents: Table) -> Statement:
    """Count up to a limit; where timelines are on several servers, each of these looks at all that it has."""
    anywhere: Select[tuple[int]] = select(literal_column("1")).where(
        documents.c.shape < _SHAPE, documents.c.document.is_not(None)
    )
    counts = [
        select(func.count()).select_from(one.subquery("older")) for one in (_older(documents), anywhere.limit(_LIMIT))
    ]
    return compiled(counts[0], distributed=counts[1:])


_COUNTS = [_counted(one) for one in _TABLES]
_BATCHES = {one.name: _batch(one) for one in _TABLES}
_REWRITTEN = {one.name: _rewritten(one) for one in _TABLES}
TABLE_NAMES = tuple(_BATCHES)


async def count_older(connection: Connection, limit: int = COUNTED_UP_TO) -> int:
    """Count the documents of an older shape, of events and of their states, up to a limit of both."""
    count = 0
    for statement in _COUNTS:
        cursor = await statement.run(connection, {"document_shape": document_shape(), "limit": limit - count})
        count += int((await cursor.fetchall())[0][0])
    return count


async def rerender_batch(
    connection: Connection, table_name: str, timeline_id: UUID, after: Place
) -> tuple[int, Place | None]:
    """Bring some of a timeline's documents after a place to the present shape, in the caller's transaction.

    Gives how many, and the place of the last of them, None where none was left. It waits for no other writer, so
    that no two can wait for each other.
    """
    values = {"timeline_id": timeline_id, "document_shape": document_shape()}
    asked = {"after_event": after.event_id, "after_version": after.version, "limit": BATCH_DOCUMENTS}
    # a statement planned for all values would not know whether few or nearly all are of an older shape
    rows = await (await _BATCHES[table_name].run(connection, values | asked, prepare=False)).fetchall()
    if not rows:
        return 0, None
    await _REWRITTEN[table_name].run_many(
        connection,
        [
            values | {"of_event_id": event_id, "of_version": version, "new_document": upgraded(document).decode()}
            for event_id, version, document in rows
        ],
    )
    return len(rows), Place(*rows[-1][:2])
