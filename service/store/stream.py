"""All events of a range query, as they stood when the reading began, in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import lru_cache

from sqlalchemy import select

from service.store.paging import MOST_EVENTS, read_page
from service.store.query import Caller, EventQuery, Keyset
from service.store.selection import Shape, conditions, in_timelines, in_window, ordered, sort_value, values_of
from service.store.statement import Connection, Statement, compiled


async def stream_documents(
    connection: Connection, query: EventQuery, caller: Caller, *, limit: int | None = None
) -> AsyncGenerator[list[bytes]]:
    """Iterate over batches of documents (UTF-8 JSON) in the query's order.

    `connection` is in a transaction that sees one state of the store. `limit` ends it early. The database's
    time limit holds for each batch, not for the whole. Whoever does not read to the end closes it (`aclose`).
    """
    batches = _by_date if query.sort in ("date", "-date") else _by_cursor
    left = limit
    async with aclosing(batches(connection, query, caller)) as found:
        async for documents in found:
            wanted = documents[:left]
            left = None if left is None else left - len(wanted)
            if wanted:
                yield wanted
            if left == 0:
                return


async def _by_date(connection: Connection, query: EventQuery, caller: Caller) -> AsyncGenerator[list[bytes]]:
    """Read page after page: nothing is sorted or gathered before the first, however much there is."""
    after: Keyset | None = None
    while True:
        page = await read_page(connection, query, caller, limit=MOST_EVENTS, after=after)
        yield page.documents
        after = page.end
        if after is None:
            return


async def _by_cursor(connection: Connection, query: EventQuery, caller: Caller) -> AsyncGenerator[list[bytes]]:
    """Read from one cursor, in an order that the database must gather anyway."""
    statement = _streamed(Shape.of(query))
    async with connection.cursor("export", binary=True) as cursor:
        await cursor.execute(statement.sql, {**statement.fixed, **values_of(query, caller)})
        while rows := await cursor.fetchmany(MOST_EVENTS):
            yield [row[0] for row in rows]


@lru_cache(maxsize=256)
def _streamed(shape: Shape) -> Statement:
    events = shape.events
    order = ordered(shape, sort_value(shape), events.c.event_id, events.c.timeline_id)
    return compiled(
        select(events.c.document)
        .where(in_timelines(shape, events), *in_window(shape, events), *conditions(shape, events))
        .order_by(*order)
    )
