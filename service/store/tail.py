"""Where the feeds of those timelines end that somebody follows: one look for all followers of a process.

What others wrote is heard of (`service.store.listening`), unless it is lost on the way, and a change may become
readable unannounced, when another transaction ends; so ends are also looked up in intervals, all in one statement.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
from sqlalchemy import ARRAY, bindparam, exists, func, literal_column, select, true

from service.errors import DatelineError
from service.store.changes import CHANNEL, position_of
from service.store.database import Database
from service.store.feed_selection import beyond_horizon, horizon_of, latest_of, up_to_horizon
from service.store.listening import Listener
from service.store.position import START, Position
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Row, Statement, compiled, is_distributed
from service.tables import feed, timeline
from service.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("dateline.feed")

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
# Where timelines are on several servers, one after the other is asked of its own.
_LATEST_OF_ONE = latest_of(TIMELINE_ID)
_LOOK_AT: Statement = up_to_horizon(
    select(
        timeline.c.timeline_id,
        *_LATEST_OF_ONE.c,
        exists(select(literal_column("1")).where(beyond_horizon(TIMELINE_ID))),
    )
    .select_from(timeline.join(feed, true()).outerjoin(_LATEST_OF_ONE, true()))
    .where(timeline.c.timeline_id == TIMELINE_ID)
)
_NOTIFY: Statement = compiled(select(func.pg_notify(literal_column(f"'{CHANNEL}'"), literal_column("''"))))


async def _read_ends(connection: Connection, timelines: list[UUID]) -> list[Row]:
    """Read where these feeds end, and whether more waits for the horizon."""
    if not is_distributed(connection):
        return await (await _LOOK.run(connection, {"timelines": timelines})).fetchall()
    horizon = await horizon_of(connection)
    rows: list[Row] = []
    for one in timelines:
        rows += await (await _LOOK_AT.run(connection, {"timeline_id": one, **horizon})).fetchall()
    return rows


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

    Ends are looked up every `poll_seconds` at least.
    """

    def __init__(self, database: Database, listener: Listener, *, poll_seconds: float) -> None:
        self._database = database
        self._listener = listener
        self._poll_seconds = poll_seconds
        self._ends: dict[UUID, End] = {}
        self._nudge = asyncio.Event()
        listener.tell(self._nudge.set)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Look and announce while the block lasts."""
        tasks = [asyncio.create_task(one) for one in (self._announce(), self._watch())]
        try:
            yield
        finally:
            await end_tasks(*tasks)

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

    async def _announce(self) -> None:
        """Tell this process and all others of changes that were committed here: of a burst of them once."""
        while True:
            await self._database.changed.wait()
            self._database.changed.clear()
            self._listener.hear()
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
                except (DatelineError, psycopg.Error) as error:
                    logger.warning("cannot look for changes: %s", error)
            await asyncio.sleep(_BREATH_SECONDS)

    async def _look(self) -> bool:
        """Look up every end; tell whether changes wait for the horizon."""
        async with self._database.read() as connection:
            rows = await _read_ends(connection, list(self._ends))
        seen = {row[0]: position_of(row[1:4]) for row in rows}
        for timeline_id, end in self._ends.items():
            if timeline_id in seen:
                end.move(seen[timeline_id])
            else:
                end.wake()  # the timeline is gone: its followers find out
        return any(row[4] for row in rows)
