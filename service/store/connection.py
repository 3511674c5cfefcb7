"""A connection that waits for an answer as cheaply as the event loop allows.

PostgreSQL sends a page in some eight pieces, and psycopg enrols with the event loop, sets a timer and wakes the task
anew for each: measured, a third of what running the statement costs this process. Here the connection is enrolled once
for all pieces, and the task wakes when the answer is complete.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection
from psycopg.abc import RV, PQGen
from psycopg.errors import QueryCanceled
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready, Wait

Row = tuple[Any, ...]

_INTERVAL_SECONDS = 0.1  # psycopg's own
_ENDING_SECONDS = 5.0  # for PostgreSQL to end a statement that nobody waits for any more


class PooledConnection(AsyncConnection[Row]):
    """psycopg's connection, with a way of its own to wait for what is to be read; in all else it waits as psycopg."""

    async def wait(
        self,
        gen: PQGen[RV],
        interval: float = _INTERVAL_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109  # psycopg's signature
    ) -> RV:
        """Run one of psycopg's operations to its end. Raises what the operation does."""
        try:
            state = next(gen)
        except StopIteration as end:
            return await super().wait(_ended(end.value))
        if timeout is None and state == Wait.R:
            with suppress(_WantsToWriteError):
                return await self._read(gen)
        # who begins anew to wait for an operation is told once more what it waits for
        return await super().wait(gen, interval, timeout)

    async def _read(self, gen: PQGen[RV]) -> RV:
        """Feed the operation each piece as it comes. Raises _WantsToWriteError where that is not all it waits for."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[RV] = loop.create_future()

        def feed() -> None:
            if over.done():
                return
            try:
                if gen.send(Ready.R) != Wait.R:
                    over.set_exception(_WantsToWriteError())
            except StopIteration as end:
                over.set_result(end.value)
            except Exception as error:  # noqa: BLE001  # whatever it is, whoever waits is told
                over.set_exception(error)

        socket = self.pgconn.socket
        loop.add_reader(socket, feed)
        try:
            return await over
        except (asyncio.CancelledError, KeyboardInterrupt):
            loop.remove_reader(socket)
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._abandon(gen)
            raise
        finally:
            loop.remove_reader(socket)

    async def _abandon(self, gen: PQGen[RV]) -> None:
        """End the statement, and take what it still had to say; failing that, the connection, as psycopg does."""
        try:
            await self.cancel_safe(timeout=_ENDING_SECONDS)
            with suppress(QueryCanceled):
                await super().wait(gen, timeout=_ENDING_SECONDS)
        except BaseException as error:
            self.pgconn.finish()
            if not isinstance(error, Exception):
                raise


class _WantsToWriteError(Exception):
    """Say that an operation waits for more than something to read."""


def _ended(value: RV) -> PQGen[RV]:
    """Make an operation that is over: waiting for it, psycopg lets others have their turn now and then."""
    return value
    yield
