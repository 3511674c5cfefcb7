"""Whether the database answers at all: asked twice a second, on a connection that nothing else uses.

A slow statement and a database that hangs look alike to whoever waits. What tells them apart is another connection, on
which the least of questions is answered at once, or is not. While it is not, nobody waits: whoever does is let go, and
who comes is told so. Time is counted in ticks of the event loop, so that a process which gets no processor for a
while does not blame the database for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from sqlalchemy import literal_column, select

from service.errors import Unavailable
from service.store.connection import PooledConnection, network_options
from service.store.statement import Statement, compiled
from service.tasks import end_tasks

logger = logging.getLogger("dateline.pulse")

_PAUSE_SECONDS = 0.5
_TICK_SECONDS = 0.1
_SILENT_TICKS = 10  # after which the database is lost: with the pause, well below two seconds
_CONNECTING_TICKS = 30  # how long one try to find it again may take; shorter than a dropped packet is sent anew twice
_MOST_TICKS = 50  # after which the connection is made anew, though others hear of the database
_LOST = "the database cannot be reached"

_QUESTION: Statement = compiled(select(literal_column("1")))

Renew = Callable[[], Awaitable[None]]


class Pulse:
    """Whether a database answers, and who is in need of that; it is lost only while somebody asks (`run`)."""

    def __init__(self) -> None:
        self.is_lost = False
        self._needs: set[asyncio.Timeout] = set()
        self._renewals: set[Renew] = set()
        self._was_heard = False

    def when_back(self, renew: Renew) -> None:
        """Have `renew` called when the database is back, before anybody is let in.

        Where it raises, the database is not back yet.
        """
        self._renewals.add(renew)

    def forget(self, renew: Renew) -> None:
        """Call it no more."""
        self._renewals.discard(renew)

    @asynccontextmanager
    async def run(self, url: str) -> AsyncIterator[None]:
        """Ask while the block lasts.

        `url` is the way past any pooler, which may have others wait while it lends all that it has.
        """
        question = _Question(url)
        task = asyncio.create_task(self._watch(question))
        try:
            yield
        finally:
            await end_tasks(task)
            await question.close()

    @asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """Do something with the database. Raises Unavailable while it is lost, and as soon as it is."""
        if self.is_lost:
            raise Unavailable(_LOST)
        try:
            async with asyncio.timeout(None) as need:
                self._needs.add(need)
                try:
                    yield
                finally:
                    self._needs.discard(need)
        except TimeoutError as error:
            if need.expired():
                raise Unavailable(_LOST) from error
            raise
        self._was_heard = True

    async def _watch(self, question: _Question) -> None:
        while True:
            answers = await self._answers(question)
            if self.is_lost and answers:
                await self._find()
            elif not self.is_lost and not answers:
                self._lose()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _find(self) -> None:
        """Let everybody in again, once all that was connected before is connected anew."""
        try:
            for renew in self._renewals:
                await renew()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is tried again
            logger.warning("the database answers, and cannot be worked with: %s", error)
        else:
            self.is_lost = False
            logger.warning("the database answers again")

    def _lose(self) -> None:
        """Let everybody go who waits for the database."""
        self.is_lost = True
        logger.warning("the database does not answer: requests that need it are refused until it does")
        needs, self._needs = self._needs, set()
        now = asyncio.get_running_loop().time()
        for need in needs:
            need.reschedule(now)

    async def _answers(self, question: _Question) -> bool:
        """Tell whether the database answers this question or, meanwhile, any statement."""
        asking = asyncio.create_task(question.ask())
        most, silent = (_CONNECTING_TICKS if self.is_lost else _SILENT_TICKS), 0
        try:
            for _ in range(_MOST_TICKS):
                self._was_heard = False
                await asyncio.wait([asking], timeout=_TICK_SECONDS)
                silent = 0 if self._was_heard else silent + 1
                if asking.done():
                    return asking.exception() is None or self._was_heard
                if silent >= most:
                    return False
            return True
        finally:
            if not asking.done():
                await end_tasks(asking)
                await question.close()


class _Question:
    """The least of questions, and the connection that it is asked on."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: PooledConnection | None = None

    async def ask(self) -> None:
        """Ask, on a new connection where there is none or it has broken. Raises psycopg.Error."""
        if self._connection is not None:
            try:
                await _QUESTION.run(self._connection, {})
            except psycopg.Error:
                await self.close()
            else:
                return
        self._connection = await PooledConnection.connect(
            self._url, autocommit=True, application_name="dateline pulse", **network_options(self._url)
        )
        # behind a pooler nothing is left behind on it; and a question that is given up is not worth another
        self._connection.prepare_threshold = None
        self._connection.is_given_up = lambda: True
        await _QUESTION.run(self._connection, {})

    async def close(self) -> None:
        """Leave the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
