"""Hear of changes as they are committed: one connection for all in a process who want to know.

It may lose something (behind a pooler, or while it is made anew): whoever hears must look now and then, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import text

from service.store.changes import CHANNEL
from service.store.epoch import enter_epoch
from service.store.statement import Connection, compiled
from service.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("dateline.feed")

_CONNECT_SECONDS = 5
_RECONNECT_SECONDS = (0.1, 10.0)  # the first wait, doubled up to the last
_PROBE_SECONDS = 30.0  # so often it is seen whether the connection lives, and leads to the same database

# By this name the database knows that a service or a worker is there.
APPLICATION = "dateline feed"
_LISTEN = compiled(text(f"LISTEN {CHANNEL}"))


class Listener:
    """The ear of a process; `url` is where to listen, without any pooler if possible."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told: list[Callable[[], None]] = []

    def tell(self, heard: Callable[[], None]) -> None:
        """Have `heard` called whenever something has changed, or may have."""
        self._told.append(heard)

    def hear(self) -> None:
        """Tell all who want to know."""
        for heard in self._told:
            heard()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Listen while the block lasts; a database that is not there yet is waited for meanwhile."""
        connection: Connection | None = None
        with suppress(psycopg.Error):
            connection = await self._connect()
        task = asyncio.create_task(self._listen(connection))
        try:
            yield
        finally:
            await end_tasks(task)

    async def _connect(self) -> Connection:
        """Connect and listen, and see whether the database is another one than before."""
        connection: Connection = await AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name=APPLICATION
        )
        try:
            await _look_at_home(connection)
            await _LISTEN.run(connection, {})
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _listen(self, connection: Connection | None) -> None:
        wait, longest = _RECONNECT_SECONDS
        while True:
            try:
                connection = connection or await self._connect()
                wait = _RECONNECT_SECONDS[0]
                self.hear()  # of what was said while nobody listened
                while True:
                    async for _ in connection.notifies(timeout=_PROBE_SECONDS):
                        self.hear()
                    async with asyncio.timeout(_CONNECT_SECONDS):
                        await _look_at_home(connection)
            except (psycopg.Error, TimeoutError) as error:
                logger.info("not listening for changes, but looking: %s", str(error).partition("\n")[0])
            finally:
                if connection is not None:
                    await connection.close()
                    connection = None
            await asyncio.sleep(wait)
            wait = min(2 * wait, longest)


async def _look_at_home(connection: Connection) -> None:
    """See whether somebody has put a dump into the database's place, while it was away or under our eyes."""
    if await enter_epoch(connection) is not None:
        logger.warning("this database is a restored dump: its change feed goes on in another epoch")
