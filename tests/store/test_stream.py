"""Reading all events of a query, and leaving off in the middle."""

from __future__ import annotations

import asyncio

import pytest
from psycopg import AsyncConnection

from service.store.adapters import register
from service.store.query import Caller, EventQuery, Sort
from service.store.stream import stream_documents
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
