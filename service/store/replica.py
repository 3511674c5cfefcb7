"""A streaming replica that is read in place of the primary, as long as it is there and not too far behind.

It is asked every second how it does, on a connection of its own. Whatever it fails at is done at the primary: a read by
whoever asked for it, once more from its beginning (`ReplicaFailed`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import func, select

from service.errors import DatelineError, ReplicaFailed, TooSlow, Unavailable
from service.store.database import Database
from service.store.statement import Connection, Statement, compiled
from service.store.wal import WalPosition, read_flushed, read_replayed
from service.tasks import end_tasks

logger = logging.getLogger("dateline.replica")

_LOOK_SECONDS = 1.0  # between two looks
_BREATH_SECONDS = 0.1  # between two looks, while reads fail
_PATIENCE_SECONDS = 2.0  # with each server, for one look
_GRACE_SECONDS = 1.0  # for a read beyond the database's own limit: an answer that is lost never comes
_PAUSE_SECONDS = (0.005, 0.05)  # between two questions whether it has come so far: the first, doubled up to the last
_MOST_NOTED = 1000

_IS_REPLICA: Statement = compiled(select(func.pg_is_in_recovery()))


class Readable(Protocol):
    """What a request reads from: a database, or whichever of two serves it."""

    def read(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection for statements that each stand alone."""

    def export(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection that sees one state of the store for long."""

    async def cursor_key(self) -> bytes:
        """Give the key that cursors are signed with."""


class Outcome(StrEnum):
    """What became of a read that the replica might have done."""

    REPLICA = "replica"  # done there
    WAITED = "waited"  # it had not come as far as the client asked, when waiting was over
    UNUSED = "unused"  # it was away, or too far behind
    FAILED = "failed"  # it failed at it


class Standing(NamedTuple):
    """How a replica is: there or not, how far behind, and why it is not read; None where it is."""

    is_up: bool
    lag_seconds: float
    why_not: str | None


class Replica:
    """The replica of one server process, and the primary that it follows.

    A read waits at most `wait_seconds` for what its client has to see, and ends at the latest a second after
    `statement_timeout_seconds`. A replica more than `lag_seconds` behind is not read.
    """

    def __init__(
        self,
        url: str,
        database: Database,
        primary: Database,
        *,
        wait_seconds: float,
        lag_seconds: float,
        statement_timeout_seconds: float,
        count: Callable[[Outcome], None],
    ) -> None:
        self._url = url
        self._database = database
        self.primary = primary
        self._wait_seconds = wait_seconds
        self._lag_seconds = lag_seconds
        self._limit_seconds = statement_timeout_seconds + _GRACE_SECONDS
        self._count = count
        self._connection: Connection | None = None
        self._nudge = asyncio.Event()
        self._token: UUID | None = None  # of the primary's life
        self._written: list[tuple[float, int]] = []  # when the primary had come how far, which is not replayed yet
        self._asked_at = 0.0  # when the primary last said so
        self.standing = Standing(is_up=False, lag_seconds=0.0, why_not="was not asked yet")

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Watch the replica, and have connections to it, while the block lasts."""
        await self._database.open()
        await self._look()
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            await end_tasks(task)
            await self._hang_up()
            await self._database.close()

    async def find(self, held: AsyncExitStack, after: WalPosition | None) -> Connection | None:
        """Find a connection to the replica that has come so far, held until `held` ends; None for: read the primary."""
        if self.standing.why_not is not None:
            self._count(Outcome.UNUSED)
            return None
        deadline = time.monotonic() + self._wait_seconds
        pause, longest = _PAUSE_SECONDS
        while True:
            async with AsyncExitStack() as trying:
                connection = await trying.enter_async_context(self._read())
                # on this very connection, and in a statement before: what comes after sees no less
                replayed = None if after is None else await read_replayed(connection)
                if after is None or replayed is None or replayed.covers(after):
                    held.push_async_exit(trying.pop_all())
                    self._count(Outcome.REPLICA)
                    return connection
                if replayed.token != after.token:  # of another life of the database, at which it never arrives
                    self._count(Outcome.UNUSED)
                    return None
            if time.monotonic() + pause > deadline:
                self._count(Outcome.WAITED)
                return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    @asynccontextmanager
    async def export(self) -> AsyncIterator[Connection]:
        """Lend a connection to the replica that sees one state of it for long. Raises ReplicaFailed."""
        with self._failing():
            async with self._database.export() as connection:
                yield connection

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Connection]:
        with self._failing():
            async with asyncio.timeout(self._limit_seconds), self._database.read() as connection:
                yield connection

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Raise ReplicaFailed for whatever the primary may be able to do; what takes too long would there, too."""
        try:
            yield
        except TooSlow:
            raise
        except (Unavailable, psycopg.Error, TimeoutError) as error:
            self._count(Outcome.FAILED)
            self._nudge.set()
            raise ReplicaFailed(f"the replica failed: {error}") from error

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._nudge.wait()
            await self._look()
            await asyncio.sleep(_BREATH_SECONDS)
            self._nudge.clear()

    async def _look(self) -> None:
        """See how the replica does, and say so where that is news."""
        before = self.standing
        self.standing = await self._ask()
        if self.standing.why_not is None and before.why_not is not None:
            await self._database.replace_lost()
            logger.info("reads go to the replica")
        elif self.standing.why_not is not None and (before.why_not is None or before.is_up != self.standing.is_up):
            logger.warning("reads go to the primary: the replica %s", self.standing.why_not)

    async def _ask(self) -> Standing:
        with suppress(TimeoutError, DatelineError):  # a primary that is away writes nothing meanwhile
            async with asyncio.timeout(_PATIENCE_SECONDS), self.primary.read() as connection:
                self._note(await read_flushed(connection))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._ask_replica()
        except (psycopg.Error, TimeoutError) as error:
            await self._hang_up()
            words = str(error).partition("\n")[0] or "no answer in time"
            return Standing(is_up=False, lag_seconds=0.0, why_not=f"cannot be read: {words}")

    def _note(self, flushed: WalPosition) -> None:
        """Note how far the primary had come when it was asked."""
        if flushed.token != self._token:
            self._token = flushed.token
            self._written.clear()
        self._asked_at = time.monotonic()
        self._written.append((self._asked_at, flushed.lsn))
        if len(self._written) > _MOST_NOTED:
            del self._written[1::2]  # every other one, and never the oldest

    async def _ask_replica(self) -> Standing:
        if self._connection is None:
            self._connection = await AsyncConnection.connect(
                self._url, autocommit=True, prepare_threshold=None, application_name="dateline replica"
            )
        row = await (await _IS_REPLICA.run(self._connection, {})).fetchone()
        if row != (True,):
            return Standing(is_up=False, lag_seconds=0.0, why_not="is none: that server takes writes itself")
        replayed = await read_replayed(self._connection)
        if replayed.token != self._token:
            return Standing(is_up=False, lag_seconds=0.0, why_not="follows another database, or is in its former life")
        self._written = [one for one in self._written if one[1] > replayed.lsn]
        lag_seconds = self._asked_at - self._written[0][0] if self._written else 0.0
        why_not = f"is {lag_seconds:.0f} s behind" if lag_seconds > self._lag_seconds else None
        return Standing(is_up=True, lag_seconds=lag_seconds, why_not=why_not)

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class Reads:
    """What one request reads from: the replica, if it has come as far as the client has seen, else the primary."""

    def __init__(self, replica: Replica, after: WalPosition | None) -> None:
        self._replica = replica
        self._after = after

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lend a connection for statements that each stand alone. Raises ReplicaFailed for what the primary can do."""
        async with AsyncExitStack() as held:
            connection = await self._replica.find(held, self._after)
            if connection is None:
                connection = await held.enter_async_context(self._replica.primary.read())
            yield connection

    @asynccontextmanager
    async def export(self) -> AsyncIterator[Connection]:
        """Lend a connection that sees one state of the store for long.

        Raises Unavailable while too many exports are under way, and ReplicaFailed for what the primary can do.
        """
        # asked before: a transaction that sees one state would see the one from before the answer
        async with AsyncExitStack() as asking:
            is_there = await self._replica.find(asking, self._after) is not None
        lender = self._replica.export if is_there else self._replica.primary.export
        async with lender() as connection:
            yield connection

    async def cursor_key(self) -> bytes:
        """Give the key that cursors are signed with."""
        return await self._replica.primary.cursor_key()
