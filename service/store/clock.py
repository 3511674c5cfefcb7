"""The store's own clock: the database's, one for all processes."""

from __future__ import annotations

from sqlalchemy import func, select

from service.store.statement import Connection, Statement, compiled

# the time of this statement, not of the transaction, which may have waited for another
_NOW: Statement = compiled(select(func.clock_timestamp()))


async def read_now(connection: Connection) -> int:
    """Read the present instant, in microseconds since 1970."""
    cursor = await _NOW.run(connection, {})
    return int((await cursor.fetchall())[0][0])
