"""The pool of connections, and the two ways to use one: a read, and a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from psycopg_pool import AsyncConnectionPool
from sqlalchemy import select

from service.errors import Unavailable
from service.store.adapters import register
from service.store.changes import take_untold
from service.store.connection import PooledConnection
from service.store.failures import translated
from service.store.statement import Connection, compiled
from service.tables import signing_key

# How long a request waits for a free connection before it is told to come again.
_WAIT_SECONDS = 5.0
# How many requests may wait for each connection: what these take is well under the time above, and who comes later
# is told so at once.
_MOST_WAITING_EACH = 250


async def _configure(connection: PooledConnection) -> None:
    register(connection)


def _chosen(statement_timeout_seconds: float) -> dict[str, object]:
    milliseconds = max(1, round(statement_timeout_seconds * 1000))
    return {"statement_timeout": milliseconds, "TimeZone": "UTC", "jit": "off"}


def _setting(chosen: Mapping[str, object]) -> bytes:
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in chosen.items()).encode()


_CURSOR_KEY = compiled(select(signing_key.c.key).where(signing_key.c.purpose == "cursor"))


class PoolState(NamedTuple):
    """How the connections of a process are: how many there are, how many of them are free, how many wait for one."""

    size: int
    idle: int
    waiting: int


@asynccontextmanager
async def connected(url: str, *, statement_timeout_seconds: float) -> AsyncIterator[Database]:
    """Have a single connection to a database for a block: for a command, which does one thing and ends."""
    database = Database(url, pool_size=1, statement_timeout_seconds=statement_timeout_seconds)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


class Database:
    """The connections of one server process to one PostgreSQL.

    `url` is a libpq URL; `pool_size` the most connections; a statement ends after `statement_timeout_seconds`.
    `pooled` tells that the URL leads through a pooler that lends connections by the transaction: nothing is left behind
    on one then, neither settings nor prepared statements.
    """

    def __init__(self, url: str, *, pool_size: int, statement_timeout_seconds: float, pooled: bool = False) -> None:
        chosen = _chosen(statement_timeout_seconds)
        self._limits = _setting(chosen) if pooled else None
        options = {"options": " ".join(f"-c {name}={value}" for name, value in chosen.items())}
        # exports last: they may hold half of the connections, so that the other half answers all else
        self._exports = asyncio.Semaphore(max(1, pool_size // 2))
        # and batches, which write for long, a quarter; those that come meanwhile wait their turn
        self.batches = asyncio.Semaphore(max(1, pool_size // 4))
        # and imports, which write for minutes, one after the other
        self.imports = asyncio.Semaphore(1)
        self._cursor_key: bytes | None = None
        self.changed = asyncio.Event()  # set when changes were committed here
        # no reset when a connection is given back: no statement of ours changes its state, and it would cost a task
        self._pool: AsyncConnectionPool[PooledConnection] = AsyncConnectionPool(
            url,
            connection_class=PooledConnection,
            kwargs={
                "autocommit": True,
                "application_name": "dateline",
                **({"prepare_threshold": None} if pooled else options),
            },
            min_size=min(2, pool_size),
            max_size=pool_size,
            timeout=_WAIT_SECONDS,
            max_waiting=_MOST_WAITING_EACH * pool_size,
            # the pool waits longer from try to try; who asks after it gave up has it try at once
            reconnect_timeout=_WAIT_SECONDS,
            configure=_configure,
            open=False,
        )

    async def open(self) -> None:
        """Start connecting; a database that is not there yet is waited for by whoever needs it."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lend a connection for statements that each stand alone (no BEGIN: it would cost a third).

        Raises the domain's error for whatever the database reports.
        """
        if self._limits is not None:
            async with self.transaction() as connection:
                yield connection
            return
        with translated():
            connection = await self._pool.getconn()
            try:
                yield connection
            finally:
                # not by the pool's own block, which ends a transaction that there is none of
                await self._pool.putconn(connection)

    @asynccontextmanager
    async def transaction(self, *, trial: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction, committed when the block ends well; of a trial nothing is kept.

        Raises the domain's error for whatever the database reports, at the commit too.
        """
        with translated():
            async with self._pool.connection() as connection:
                try:
                    async with connection.transaction(force_rollback=trial):
                        if self._limits is not None:
                            await connection.execute(self._limits)
                        yield connection
                finally:
                    appended = take_untold(connection)
        if appended and not trial:
            self.changed.set()

    @asynccontextmanager
    async def export(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction that reads for long, and sees one state of the store.

        Raises Unavailable while too many exports are under way.
        """
        if self._exports.locked():
            raise Unavailable("too many exports are under way")
        async with self._exports, self.transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    def pool_state(self) -> PoolState:
        """Tell how the connections are at this moment."""
        told = self._pool.get_stats()
        return PoolState(told["pool_size"], told["pool_available"], told["requests_waiting"])

    async def cursor_key(self) -> bytes:
        """Give the key that cursors are signed with: one for all processes, kept in the database."""
        if self._cursor_key is None:
            async with self.read() as connection:
                row = await (await _CURSOR_KEY.run(connection, {})).fetchone()
            if row is None:
                raise Unavailable("the database holds no key for cursors")
            self._cursor_key = row[0]
        return self._cursor_key
