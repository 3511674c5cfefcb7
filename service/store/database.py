"""The pool of connections, and the two ways to use one: a read, and a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import psycopg
from sqlalchemy import select

from service.errors import Unavailable
from service.store.adapters import register
from service.store.changes import take_untold
from service.store.connection import PooledConnection, network_options
from service.store.distribution import HAS_CITUS
from service.store.failures import translated
from service.store.pool import ReadyPool, check_idle
from service.store.pooler import prepare_if_kept
from service.store.pulse import Pulse
from service.store.statement import Connection, compiled, is_distributed
from service.store.wal import WalPosition, read_written
from service.tables import signing_key

logger = logging.getLogger("dateline.database")

ResultT = TypeVar("ResultT")

# How long a request waits for a free connection before it is told to come again.
_WAIT_SECONDS = 5.0
# How many requests may wait for each connection: what these take is well under the time above, and who comes later
# is told so at once.
_MOST_WAITING_EACH = 250
_CLOSING_SECONDS = 1.0  # for what still tries to connect
_KEPT = "the pooler keeps prepared statements: statements are prepared"
_NOT_KEPT = (
    "the pooler keeps no prepared statements: none is prepared; PgBouncer keeps them from 1.21 on, where its"
    " max_prepared_statements is not 0"
)


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
    on one then, neither settings nor, unless the pooler keeps them, prepared statements. Whoever asks for a connection
    waits `wait_seconds` for one; where a `pulse` is felt, nobody waits for a database without.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        statement_timeout_seconds: float,
        pooled: bool = False,
        wait_seconds: float = _WAIT_SECONDS,
        pulse: Pulse | None = None,
    ) -> None:
        chosen = _chosen(statement_timeout_seconds)
        self._limits = _setting(chosen) if pooled else None
        self._is_kept: bool | None = None  # by a pooler, what is prepared
        options = {"options": " ".join(f"-c {name}={value}" for name, value in chosen.items())}
        self._url = url
        self._size = pool_size
        self._wait_seconds = wait_seconds
        self._kept: dict[str, Any] = {
            "autocommit": True,
            "application_name": "dateline",
            **({"prepare_threshold": None} if pooled else options),
            **network_options(url),
        }
        # exports last: they may hold half of the connections, so that the other half answers all else
        self._exports = asyncio.Semaphore(max(1, pool_size // 2))
        # and batches, which write for long, a quarter; those that come meanwhile wait their turn
        self.batches = asyncio.Semaphore(max(1, pool_size // 4))
        # and imports, which write for minutes, one after the other
        self.imports = asyncio.Semaphore(1)
        self._cursor_key: bytes | None = None
        self._is_distributed: bool | None = None
        self.changed = asyncio.Event()  # set when changes were committed here
        self._pulse = pulse or Pulse()
        self._pool = self._make_pool()
        self._retiring: set[asyncio.Task[None]] = set()

    def _make_pool(self) -> ReadyPool:
        # no reset when a connection is given back: no statement of ours changes its state, and it would cost a task
        return ReadyPool(
            self._url,
            connection_class=PooledConnection,
            kwargs=self._kept,
            min_size=min(2, self._size),
            max_size=self._size,
            timeout=self._wait_seconds,
            max_waiting=_MOST_WAITING_EACH * self._size,
            # the pool waits longer from try to try; who asks after it gave up has it try at once
            reconnect_timeout=_WAIT_SECONDS,
            configure=self._configure,
            check=check_idle,
            open=False,
        )

    async def _configure(self, connection: PooledConnection) -> None:
        connection.is_given_up = lambda: self._pulse.is_lost
        register(connection)
        if self._is_distributed is None:
            row = await (await connection.execute(HAS_CITUS)).fetchone()
            self._is_distributed = row == (True,)
        connection.is_distributed = self._is_distributed
        if self._limits is not None:
            kept = await prepare_if_kept(connection)
            if kept is not self._is_kept:  # at the start, and when the pooler has become another
                self._is_kept = kept
                logger.info(_KEPT if kept else _NOT_KEPT)

    async def open(self) -> None:
        """Start connecting; a database that is not there yet is waited for by whoever needs it."""
        await self._pool.open()
        self._pulse.when_back(self._renew)

    async def close(self) -> None:
        """Close every connection."""
        self._pulse.forget(self._renew)
        await self._pool.close(_CLOSING_SECONDS)
        if self._retiring:
            await asyncio.wait(self._retiring)

    async def _renew(self) -> None:
        """Connect anew: what was connected before may lead nowhere. Raises psycopg.Error."""
        pool = self._make_pool()
        await pool.open(wait=True, timeout=_WAIT_SECONDS)
        stale, self._pool = self._pool, pool
        retiring = asyncio.create_task(stale.close(_CLOSING_SECONDS))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lend a connection for statements that each stand alone (no BEGIN: it would cost a third).

        Raises the domain's error for whatever the database reports.
        """
        if self._limits is not None:
            async with self.transaction() as connection:
                yield connection
            return
        async with self._pulse.needed():
            with translated():
                pool = self._pool
                connection = pool.take() or await pool.getconn()
                try:
                    yield connection
                finally:
                    # not by the pool's own block, which ends a transaction that there is none of
                    if not pool.take_back(connection):
                        await pool.putconn(connection)

    @asynccontextmanager
    async def transaction(self, *, trial: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction, committed when the block ends well; of a trial nothing is kept.

        Raises the domain's error for whatever the database reports, at the commit too.
        """
        async with self._pulse.needed():
            with translated():
                async with self._pool.connection() as connection, self._within(connection, trial=trial):
                    yield connection

    async def write(
        self, work: Callable[[Connection], Awaitable[ResultT]], *, trial: bool = False
    ) -> tuple[ResultT, WalPosition | None]:
        """Do work in one transaction, as `transaction`, and tell how far the log had come once it was committed.

        None where that cannot be told, and on trial.
        """
        async with self._pulse.needed():
            with translated():
                async with self._pool.connection() as connection:
                    async with self._within(connection, trial=trial):
                        result = await work(connection)
                    position = None
                    if not trial:
                        # it is done, whatever becomes of this question
                        with suppress(psycopg.Error):
                            position = await read_written(connection)
                    return result, position

    @asynccontextmanager
    async def _within(self, connection: Connection, *, trial: bool) -> AsyncIterator[None]:
        """Have a transaction for a block, and tell of changes that were committed with it."""
        try:
            async with connection.transaction(force_rollback=trial):
                if self._limits is not None:
                    await connection.execute(self._limits)
                yield
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
            if is_distributed(connection):  # one connection to each server, or it would be seen as of several instants
                await connection.execute("SET LOCAL citus.max_adaptive_executor_pool_size = 1")
            yield connection

    async def written(self) -> WalPosition:
        """Tell how far the log has come: all that was committed before lies before that."""
        async with self.read() as connection:
            return await read_written(connection)

    async def replace_lost(self) -> None:
        """Replace those idle connections that were lost meanwhile."""
        await self._pool.check()

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
