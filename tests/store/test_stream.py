"""Reading all events of a query, and leaving off in the middle."""

from __future__ import annotations

import asyncio

import pytest
from psycopg import AsyncConnection, AsyncServerCursor
from psycopg.rows import TupleRow

from service.store.adapters import register
from service.store.query import Caller, EventQuery, Sort
from service.store.stream import fetched, held_cursor, stream_documents
from tests.client import connected
from tests.factories import make_event, make_timeline


@pytest.mark.parametrize("sort", ["-recorded", "date"])
def test_whoever_leaves_off_leaves_no_cursor_open(database_url: str, sort: Sort) -> None:
    """The connection is another's then, whose transaction the late end of a cursor would break."""
    with connected(database_url) as client:
        events = make_timeline(client)
        make_event(client, events)
    query = EventQuery(events.split("/")[3], sort=sort)

    async def run() -> list[tuple[object, ...]]:
        async with await AsyncConnection.connect(database_url, autocommit=True) as connection, connection.transaction():
            register(connection)
            batches = stream_documents(connection, query, Caller(timelines=None))
            assert len(await anext(batches)) == 1
            await batches.aclose()
            return await (await connection.execute("SELECT name FROM pg_cursors WHERE name = 'export'")).fetchall()

    assert asyncio.run(run()) == []


def test_a_cursor_is_closed_when_its_connection_is_lost(database_url: str) -> None:
    """Or psycopg would warn of it, whenever it is collected, and hide from whoever reads on what was lost."""

    async def run() -> AsyncServerCursor[TupleRow]:
        async with (
            await AsyncConnection.connect(database_url) as other,
            await AsyncConnection.connect(database_url) as connection,
        ):
            async with held_cursor(connection, "numbers") as cursor:
                await cursor.execute("SELECT * FROM generate_series(1, 9)")
                assert len(await cursor.fetchmany(2)) == 2
                await other.execute("SELECT pg_terminate_backend(%s, 30000)", [connection.info.backend_pid])
            return cursor

    assert asyncio.run(run()).closed


@pytest.mark.parametrize(("rows", "sizes"), [(4, [4, 1]), (5, [5]), (6, [5])])
def test_nothing_is_asked_after_the_last_batch(database_url: str, rows: int, sizes: list[int]) -> None:
    async def run() -> tuple[list[int], int]:
        asked = 0
        async with await AsyncConnection.connect(database_url) as connection:
            async with held_cursor(connection, "numbers") as cursor:
                await cursor.execute("SELECT * FROM generate_series(1, 5)")
                fetch = cursor.fetchmany

                async def counted(size: int = 0) -> list[TupleRow]:
                    nonlocal asked
                    asked += 1
                    return await fetch(size)

                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(AsyncServerCursor, "fetchmany", lambda _, size: counted(size))
                    found = [len(batch) async for batch in fetched(cursor, rows)]
            return found, asked

    # only after a full one it is not known whether there is more
    assert asyncio.run(run()) == (sizes, len(sizes) + (sizes[-1] == rows))
