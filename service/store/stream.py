"""All events of a range query, as they stood when the reading began, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from functools import lru_cache

import psycopg
from psycopg import AsyncServerCursor
from psycopg.rows import TupleRow
from sqlalchemy import literal_column, null, select, union_all

from service.store.paging import MOST_EVENTS, read_page
from service.store.query import Caller, EventQuery, Keyset
from service.store.selection import (
    Shape,
    conditions,
    in_reach,
    in_timelines,
    in_window,
    ordered,
    sort_value,
    values_of,
)
from service.store.statement import Connection, Row, Statement, compiled
from service.tables import REACHES

# How long whoever leaves off waits for the batch that is under way.
_LEAVING_SECONDS = 1.0

# Has a cursor planned for its first rows: that plan sorts nothing where an index has the order.
SOONEST = "SET LOCAL cursor_tuple_fraction = 0"


async def stream_documents(connection: Connection, query: EventQuery, caller: Caller) -> AsyncGenerator[list[bytes]]:
    """Iterate over batches of documents (UTF-8 JSON) in the query's order.

    `connection` is in a transaction that sees one state of the store. The database's time limit holds for each
    batch, not for the whole. Whoever does not read to the end closes it (`aclose`).
    """
    shape = Shape.of(query)
    if query.sort not in ("date", "-date"):  # in an order that the database must gather anyway
        batches = _from_cursor(connection, _streamed(shape), query, caller)
    elif _is_walked(shape):
        batches = _from_cursor(connection, merged_walks(shape), query, caller)
    else:
        batches = _by_pages(connection, query, caller)
    async with aclosing(batches) as found:
        async for documents in found:
            if documents:
                yield documents


def _is_walked(shape: Shape) -> bool:
    """Tell whether the events themselves are walked, which no filter leads away from."""
    return shape.one_timeline and not shape.past and not shape.leads and not shape.text


async def _by_pages(connection: Connection, query: EventQuery, caller: Caller) -> AsyncGenerator[list[bytes]]:
    """Read page after page: nothing is sorted or gathered before the first, however much there is."""
    after: Keyset | None = None
    while True:
        page = await read_page(connection, query, caller, limit=MOST_EVENTS, after=after)
        yield page.documents
        after = page.end
        if after is None:
            return


async def _from_cursor(
    connection: Connection, statement: Statement, query: EventQuery, caller: Caller
) -> AsyncGenerator[list[bytes]]:
    """Read from one cursor to its end."""
    await connection.execute(SOONEST)
    async with held_cursor(connection, "export") as cursor:
        await cursor.execute(statement.sql, {**statement.fixed, **values_of(query, caller)})
        async with aclosing(fetched(cursor, MOST_EVENTS)) as batches:
            async for rows in batches:
                yield [row[0] for row in rows]


@asynccontextmanager
async def held_cursor(connection: Connection, name: str) -> AsyncIterator[AsyncServerCursor[TupleRow]]:
    """Have a cursor of the server's for a block; it is closed however that ends, if the connection was lost too."""
    cursor = connection.cursor(name, binary=True)
    try:
        yield cursor
    finally:
        with suppress(psycopg.OperationalError):  # nothing is left to be closed there
            await cursor.close()
        await cursor.close()  # psycopg leaves it open when the server is found lost by closing it


async def fetched(cursor: AsyncServerCursor[Row], rows: int) -> AsyncGenerator[list[Row]]:
    """Iterate over batches of a cursor's rows; the database makes the next one while this one is worked on.

    One of fewer than `rows` is the last, and nothing is asked after it.
    """
    ahead = await _begun(cursor, rows)
    try:
        while len(batch := await ahead) == rows:
            ahead = await _begun(cursor, rows)
            yield batch
        if batch:
            yield batch
    finally:
        # whoever leaves off closes the cursor, which takes no other statement until this one has ended
        if not (await asyncio.wait({ahead}, timeout=_LEAVING_SECONDS))[0]:
            ahead.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await ahead


async def _begun(cursor: AsyncServerCursor[Row], rows: int) -> asyncio.Task[list[Row]]:
    task = asyncio.create_task(cursor.fetchmany(rows))
    await asyncio.sleep(0)  # it begins now, not once somebody waits for it
    return task


@lru_cache(maxsize=256)
def merged_walks(shape: Shape) -> Statement:
    """Walk the events of each reach in order, and merge the walks as they go: nothing is sorted before the first."""
    events = shape.events
    order = ordered(shape, events.c.start_earliest, events.c.event_id, events.c.timeline_id)
    walks = union_all(
        *(
            select(events.c.document, events.c.start_earliest, events.c.event_id)
            .where(in_timelines(shape, events), *in_reach(events, reach), *conditions(shape, events))
            .order_by(*order)
            # or the walks were taken for one table's, whose order no index has
            .offset(literal_column("0"))
            for reach in REACHES
        )
    ).subquery("walks")
    order = ordered(shape, walks.c.start_earliest, walks.c.event_id, null())
    return compiled(select(walks.c.document).order_by(*order))


@lru_cache(maxsize=256)
def _streamed(shape: Shape) -> Statement:
    events = shape.events
    order = ordered(shape, sort_value(shape), events.c.event_id, events.c.timeline_id)
    return compiled(
        select(events.c.document)
        .where(in_timelines(shape, events), *in_window(shape, events), *conditions(shape, events))
        .order_by(*order)
    )
