"""Server-sent events to many clients: each ends when its client leaves, lags too far behind, or the service stops.

A stream holds nothing for its client but the messages on their way: what a client does not take stops the stream,
and after a while ends it. The client comes back with the cursor of the last message that it has read.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from types import FrameType

from fastapi.sse import EventSourceResponse
from starlette.types import Message, Send

from service.errors import Unavailable

logger = logging.getLogger("dateline.streams")

MEDIA_TYPE = EventSourceResponse.media_type
_LAST_SECONDS = 1.0  # for a message on its way when the service stops
_RETRY_MILLISECONDS = (1_000, 5_000)  # spread, so that clients do not all come back at once
_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}


class Streams:
    """All open streams of this process."""

    def __init__(self, *, most: int, send_timeout_seconds: float, wake: Callable[[], None]) -> None:
        self.send_timeout_seconds = send_timeout_seconds
        self.is_ending = False
        self._most = most
        self._wake = wake
        self._open: set[EventStream] = set()

    def __len__(self) -> int:
        return len(self._open)

    def check_room(self) -> None:
        """Raise Unavailable if no further stream may be opened."""
        if self.is_ending:
            raise Unavailable("the service is stopping")
        if len(self._open) >= self._most:
            raise Unavailable("too many streams are open")

    def end(self) -> None:
        """Have every stream say good-bye: those that wait at once, those whose clients are slow after a moment."""
        self.is_ending = True
        self._wake()
        for stream in self._open:
            stream.hurry(_LAST_SECONDS)

    @contextmanager
    def holding(self, stream: EventStream) -> Iterator[None]:
        """Count a stream as open while the block lasts."""
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)


class EventStream(EventSourceResponse):
    """An answer made of server-sent events (HTML, section 9.2), as `format_sse_event` writes them."""

    def __init__(self, messages: AsyncGenerator[bytes], streams: Streams) -> None:
        super().__init__(messages, headers=_HEADERS)
        self._messages = messages
        self._streams = streams
        self._patience: asyncio.Timeout | None = None

    async def stream_response(self, send: Send) -> None:
        """Send the messages as they come; stop at a client that takes none for too long.

        Starlette runs this, and cancels it when the client leaves.
        """

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._streams.send_timeout_seconds) as self._patience:
                    await send(message)
            except TimeoutError as error:
                raise _SlowClientError from error
            finally:
                self._patience = None

        with self._streams.holding(self):
            async with aclosing(self._messages):
                try:
                    await super().stream_response(send_in_time)
                except _SlowClientError:
                    # the answer stays incomplete, on which the server closes the connection
                    logger.info("a stream was ended: its client has taken nothing for too long")

    def hurry(self, seconds: float) -> None:
        """Give a message that is on its way only so long."""
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)


class _SlowClientError(Exception):
    """Say that a client takes nothing more."""


def retry_milliseconds() -> int:
    """Choose when a client should come back."""
    return random.randint(*_RETRY_MILLISECONDS)  # noqa: S311  # nothing secret hangs on it


@contextmanager
def told_of_stop(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on the running loop when the process is told to stop, before the server begins to wait for answers.

    The server's own handlers are called as before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no signal arrives here
        return
    loop = asyncio.get_running_loop()
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        handler = former[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    handled = [number for number, handler in former.items() if callable(handler)]
    for number in handled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, former[number])
