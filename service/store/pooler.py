"""Whether a pooler keeps what a connection has prepared: found out by preparing something, for each connection.

A pooler lends another connection to each transaction, and that one need not know what was prepared before. PgBouncer,
from 1.21 on and with `max_prepared_statements`, prepares it there anew, under a name of its own. Only its administrator
may ask for its version, and its settings change that, too; but PostgreSQL tells by which name it knows a statement.
"""

from __future__ import annotations

import psycopg
from psycopg import capabilities, sql

from service.store.connection import PooledConnection

_PREPARED = 5  # from which use on a statement is prepared, as psycopg has it
_OURS = "_pg3_"  # how psycopg begins the names that it gives
# it tells of itself
_ASK = "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT name FROM pg_prepared_statements%'"


async def prepare_if_kept(connection: PooledConnection) -> bool:
    """Have statements prepared on a connection through a pooler if that keeps them, and tell whether it does.

    A connection lent once is left as it was. Raises psycopg.Error.
    """
    kept = capabilities.has_send_close_prepared() and await _keeps(connection)
    connection.prepare_threshold = _PREPARED if kept else None
    return kept


async def _keeps(connection: PooledConnection) -> bool:
    connection.prepare_threshold = 0
    try:
        async with connection.transaction():
            row = await (await connection.execute(_ASK, prepare=True)).fetchone()
            name = "" if row is None else str(row[0])
            if name.startswith(_OURS):  # it was passed on as it came
                connection.prepare_threshold = None
                await connection.execute(sql.SQL("DEALLOCATE {}").format(sql.Identifier(name)))
                return False
    except psycopg.errors.DuplicatePreparedStatement:  # left behind by another
        return False
    return name != ""
