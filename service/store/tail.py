"""Where the feeds of those timelines end that somebody follows: one look for all followers of a process.

One connection listens for what other processes wrote. It may lose something (behind a pooler, or while it is made
anew), and a change may become readable unannounced, when another transaction ends; so the ends are also looked up in
intervals, all in one statement.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import ARRAY, bindparam, exists, func, literal_column, select, true

from service.errors import DatelineError
from service.store.changes import CHANNEL, position_of
from service.store.database import Database
from service.store.epoch import enter_epoch
from service.store.feed_selection import beyond_horizon, latest_of
from service.store.position import START, Position
from service.store.statement import Connection, Row, Statement, compiled
from service.tables import feed, timeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("dateline.feed")

_CONNECT_SECONDS = 5
_RECONNECT_SECONDS = (0.1, 10.0)  # the first wait, doubled up to the last
_PROBE_SECONDS = 30.0  # a listening connection that was silent so long is asked whether it lives
_BREATH_SECONDS = 0.02  # between two looks, so that a burst of writes is one look
_HURRY_SECONDS = 0.1  # between two looks, while something waits for the horizon

_LATEST = latest_of(timeline.c.timeline_id)
_LOOK: Statement = compiled(
    select(
        timeline.c.timeline_id,
        *_LATEST.c,
        exists(select(literal_column("1")).where(beyond_horizon(timeline.c.timeline_id))),
    )
    .select_from(timeline.join(feed, true()).outerjoin(_LATEST, true()))
    .where(timeline.c.timeline_id == func.any(bindparam("timelines", type_=ARRAY(timeline.c.timeline_id.type))))
)
_LISTEN = Statement(f"LISTEN {CHANNEL}", {})
_NOTIFY: Statement = compiled(select(func.pg_notify(literal_column(f"'{CHANNEL}'"), literal_column("''"))))
_PROBE: Statement = compiled(select(literal_column("1")))


class End:
    """Where one timeline's feed ends, as far as it was seen, and who waits for it to go on."""

    def __init__(self) -> None:
        self.followers = 0
        self.position = START
        self._moved = asyncio.Event()

    def move(self, position: Position) -> None:
        """Note where the feed ends now, and wake those who wait."""
        if position != self.position:
            self.position = position
            self.wake()

    def wake(self) -> None:
        """Wake those who wait, whatever for."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def change(self, seconds: float) -> bool:
        """Wait until the feed goes on or somebody calls, at most so long; tell whether it did."""
        try:
            async with asyncio.timeout(seconds):
                return await self._moved.wait()
        except TimeoutError:
            return False


class Tail:
    """The ends of all feeds that are followed in this process.

    `url` is where to listen, without any pooler if possible; ends are looked up every `poll_seconds` at least.
    """

    def __init__(self, database: Database, url: str, *, poll_seconds: float) -> None:
        self._database = database
        self._url = url
        self._poll_seconds = poll_seconds
        self._ends: dict[UUID, End] = {}
        self._nudge = asyncio.Event()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Listen and look while the block lasts; a database that is not there yet is waited for meanwhile."""
        connection: Connection | None = None
        with suppress(psycopg.Error):
            connection = await self._connect()
        work = (self._listen(connection), self._announce(), self._watch())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def follow(self, timeline_id: UUID, position: Position) -> Iterator[End]:
        """Have a timeline's end looked up while the block lasts; `position` is where it was last seen."""
        end = self._ends.setdefault(timeline_id, End())
        end.followers += 1
        end.move(max(end.position, position))
        try:
            yield end
        finally:
            end.followers -= 1
            if not end.followers:
                del self._ends[timeline_id]

    def wake_all(self) -> None:
        """Wake everybody who waits."""
        for end in self._ends.values():
            end.wake()

    async def _connect(self) -> Connection:
        """Connect and listen, and see whether the database is another one than before."""
        connection: Connection = await AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name="dateline feed"
        )
        try:
            if await enter_epoch(connection) is not None:
                logger.warning("this database is a restored dump: its change feed goes on in another epoch")
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
                self._nudge.set()  # for what was said while nobody listened
                await self._hear(connection)
            except (psycopg.Error, TimeoutError) as error:
                logger.info("not listening for changes, but looking: %s", str(error).partition("\n")[0])
            finally:
                if connection is not None:
                    await connection.close()
                    connection = None
            await asyncio.sleep(wait)
            wait = min(2 * wait, longest)

    async def _hear(self, connection: AsyncConnection[Row]) -> None:
        while True:
            async for _ in connection.notifies(timeout=_PROBE_SECONDS):
                self._nudge.set()
            async with asyncio.timeout(_CONNECT_SECONDS):
                await _PROBE.run(connection, {})

    async def _announce(self) -> None:
        """Tell this process and all others of changes that were committed here: of a burst of them once."""
        while True:
            await self._database.changed.wait()
            self._database.changed.clear()
            self._nudge.set()
            with suppress(DatelineError):  # then the others find them when they look
                async with self._database.read() as connection:
                    await _NOTIFY.run(connection, {})
            await asyncio.sleep(_BREATH_SECONDS)

    async def _watch(self) -> None:
        """Look where the feeds end: when told to, soon where something waits for the horizon, else now and then."""
        seconds = self._poll_seconds
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._nudge.wait()
            self._nudge.clear()
            seconds = self._poll_seconds
            if self._ends:
                try:
                    if await self._look():
                        seconds = min(_HURRY_SECONDS, seconds)
                except DatelineError as error:
                    logger.info("cannot look for changes: %s", error)
            await asyncio.sleep(_BREATH_SECONDS)

    async def _look(self) -> bool:
        """Look up every end; tell whether changes wait for the horizon."""
        async with self._database.read() as connection:
            rows = await (await _LOOK.run(connection, {"timelines": list(self._ends)})).fetchall()
        seen = {row[0]: position_of(row[1:4]) for row in rows}
        for timeline_id, end in self._ends.items():
            if timeline_id in seen:
                end.move(seen[timeline_id])
            else:
                end.wake()  # the timeline is gone: its followers find out
        return any(row[4] for row in rows)
