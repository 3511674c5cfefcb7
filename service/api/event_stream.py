"""Server-sent events to many clients: each ends when its client leaves, lags too far behind, or the service stops.

A stream holds nothing for its client but the messages on their way: what a client does not take stops the stream,
and after a while ends it. The client comes back with the cursor of the last message that it has read.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import ExitStack, aclosing, contextmanager

from fastapi.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from service.api.slow_client import Clients, SlowClientError
from service.api.stopping import LAST_SECONDS
from service.errors import Unavailable

logger = logging.getLogger("dateline.streams")

MEDIA_TYPE = EventSourceResponse.media_type
_RETRY_MILLISECONDS = (1_000, 5_000)  # spread, so that clients do not all come back at once
_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}


class Streams:
    """All open streams of this process; `clients` are those, and whoever else is sent something in parts."""

    def __init__(self, *, most: int, send_timeout_seconds: float, clients: Clients, wake: Callable[[], None]) -> None:
        self.send_timeout_seconds = send_timeout_seconds
        self.clients = clients
        self.is_ending = False
        self._most = most
        self._wake = wake
        self._taken = 0

    def __len__(self) -> int:
        return self._taken

    @contextmanager
    def place(self) -> Iterator[None]:
        """Keep a place for a stream while the block lasts. Raises Unavailable if no further one may be opened."""
        if self.is_ending:
            raise Unavailable("the service is stopping")
        if self._taken >= self._most:
            raise Unavailable("too many streams are open")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    def end(self) -> None:
        """Have every stream say good-bye, those that wait at once; who is slow, of an export too, has a last while."""
        self.is_ending = True
        self._wake()
        self.clients.hurry(LAST_SECONDS)


class EventStream(EventSourceResponse):
    """An answer made of server-sent events (HTML, section 9.2), as `format_sse_event` writes them.

    `held` is its place among the streams, which it gives back however it ends.
    """

    def __init__(
        self, messages: AsyncGenerator[bytes], streams: Streams, held: ExitStack, headers: Mapping[str, str]
    ) -> None:
        super().__init__(messages, headers={**_HEADERS, **headers})
        self._messages = messages
        self._streams = streams
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._held:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send the messages as they come; stop at a client that takes none for too long.

        Starlette runs this, and cancels it when the client leaves.
        """
        patient = self._streams.clients.patient(send, self._streams.send_timeout_seconds)
        async with aclosing(self._messages):
            try:
                await super().stream_response(patient)
            except SlowClientError:
                # the answer stays incomplete, on which the server closes the connection
                logger.info("a stream was ended: its client has taken nothing for too long")


def retry_milliseconds() -> int:
    """Choose when a client should come back."""
    return random.randint(*_RETRY_MILLISECONDS)  # noqa: S311  # nothing secret hangs on it
