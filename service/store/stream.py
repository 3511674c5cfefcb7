"""All events of a range query, read from one cursor as they stood when it was opened, in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache

from sqlalchemy import select

from service.store.query import Caller, EventQuery
from service.store.selection import Shape, conditions, in_timelines, in_window, ordered, sort_value, values_of
from service.store.statement import Connection, Statement, compiled
from service.tables import event

_BATCH_EVENTS = 500


async def stream_documents(
    connection: Connection, query: EventQuery, caller: Caller, *, limit: int | None = None
) -> AsyncIterator[list[bytes]]:
    """Iterate over batches of documents (UTF-8 JSON) in the query's order; `connection` is in a transaction.

    `limit` ends it early. The database's time limit holds for each batch, not for the whole.
    """
    left = limit
    statement = _streamed(Shape.of(query))
    cursor = connection.cursor("export", binary=True)
    async with cursor:
        await cursor.execute(statement.sql, {**statement.fixed, **values_of(query, caller)})
        while left != 0:
            rows = await cursor.fetchmany(_BATCH_EVENTS if left is None else min(left, _BATCH_EVENTS))
            if not rows:
                return
            left = None if left is None else left - len(rows)
            yield [row[0] for row in rows]


@lru_cache(maxsize=256)
def _streamed(shape: Shape) -> Statement:
    order = ordered(shape, sort_value(shape.sort), event.c.event_id, event.c.timeline_id)
    return compiled(
        select(event.c.document)
        .where(in_timelines(shape, event), *in_window(shape, event), *conditions(shape, event))
        .order_by(*order)
    )
