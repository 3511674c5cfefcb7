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
from contextlib import asynccontextmanager, suppress

import psycopg
from sqlalchemy import literal_column, select

from service.errors import Unavailable
from service.store.statement import Connection, Statement, compiled

logger = logging.getLogger("dateline.pulse")

_PAUSE_SECONDS = 0.5
_TICK_SECONDS = 0.1
_SILENT_TICKS = 10  # after which the database is lost: with the pause, well below two seconds
_CONNECTING_TICKS = 30  # how long one try to find it again may take; shorter than a dropped packet is sent anew twice
_MOST_TICKS = 50  # after which the connection is made anew, though others hear of the database
_LOST = "the database does not answer"

_QUESTION: Statement = compiled(select(literal_column("1")))

# Makes a connection, one that is dropped when its statement is given up. Raises psycopg.Error.
Connect = Callable[[], Awaitable[Connection]]


class Pulse:
    """Whether a database answers, and who is in need of that; nobody asks, and it is never lost, but by `run`."""

    def __init__(self) -> None:
        self.is_lost = False
        self._needs: set[asyncio.Timeout] = set()
        self._was_heard = False

    @asynccontextmanager
    async def run(self, connect: Connect, renew: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Ask while the block lasts, on a connection that `connect` makes.

        `renew` is called when the database is back, before anybody is let in; where it raises psycopg.Error, it is not.
        """
        question = _Question(connect)
        task = asyncio.create_task(self._watch(question, renew))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
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

    async def _watch(self, question: _Question, renew: Callable[[], Awaitable[None]]) -> None:
        while True:
            answers = await self._answers(question)
            if self.is_lost and answers:
                with suppress(psycopg.Error):
                    await renew()
                    self.is_lost = False
                    logger.warning("the database answers again")
            elif not self.is_lost and not answers:
                self._lose()
            await asyncio.sleep(_PAUSE_SECONDS)

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
                asking.cancel()
                await asyncio.wait([asking])
                await question.close()


class _Question:
    """The least of questions, and the connection that it is asked on."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    async def ask(self) -> None:
        """Ask, on a new connection where there is none or it has broken. Raises psycopg.Error."""
        if self._connection is not None:
            try:
                await _QUESTION.run(self._connection, {})
            except psycopg.Error:
                await self.close()
            else:
                return
        self._connection = await self._connect()
        await _QUESTION.run(self._connection, {})

    async def close(self) -> None:
        """Leave the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
