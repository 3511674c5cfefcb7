"""psycopg's pool, with a short way for a connection that is at hand: no lock, no clock, nothing to wait for.

Measured, to take one and give it back by psycopg's own way is a twentieth of what the read of an event costs.
"""

from __future__ import annotations

import asyncio
import select
from time import monotonic

from psycopg import OperationalError
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from service.store.connection import PooledConnection


def was_lost(connection: PooledConnection) -> bool:
    """Tell whether an idle connection has something to say: unasked, that is its end, or as good as."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


async def check_idle(connection: PooledConnection) -> None:
    """Raise psycopg.OperationalError for one that was lost while it was idle, for the pool to make another."""
    if was_lost(connection):
        connection.pgconn.finish()  # libpq has not noticed yet, and the pool goes by what it says
        raise OperationalError("the connection was lost while it was idle")


class ReadyPool(AsyncConnectionPool[PooledConnection]):
    """A pool that says at once whether there is a connection, and whether that is all to be done with it.

    Nothing here waits, so nobody else comes between; but who holds the lock is in the midst of something.
    """

    def take(self) -> PooledConnection | None:
        """Give a connection that is idle; None where one is to be waited for (`getconn`)."""
        if self._closed or not self._pool or self._lock.locked() or was_lost(self._pool[-1]):
            return None
        connection = self._pool.pop()  # the one used last, whose backend has all at hand
        self._nconns_min = min(self._nconns_min, len(self._pool))
        self._stats[self._REQUESTS_NUM] += 1
        connection._pool = self  # noqa: SLF001  # as psycopg's pool marks what it has lent
        return connection

    def take_back(self, connection: PooledConnection) -> bool:
        """Have a connection idle again; False where there is more to be done with it, or for others (`putconn`)."""
        if (
            self._closed
            or self._waiting
            or self._pool_full_event is not None
            or self._lock.locked()
            or connection.pgconn.transaction_status != TransactionStatus.IDLE
            or connection._expire_at <= monotonic()  # noqa: SLF001  # as above
            or connection._created_at <= self._drained_at  # noqa: SLF001  # as above
        ):
            return False
        connection._pool = None  # noqa: SLF001  # as above
        self._pool.append(connection)
        return True

    async def putconn(self, conn: PooledConnection) -> None:
        """Give a connection back. Whoever is cancelled meanwhile leaves it to the pool all the same.

        psycopg's own way, cut off in its midst, has the pool count a connection that nobody has any more.
        """
        if not self.take_back(conn):
            await asyncio.shield(super().putconn(conn))
