"""How a server process comes to its end: told to stop, it drains for a while, and then ends what is under way.

While it drains, it serves as before, but says that it is not ready, and with each answer that the connection ends: a
load balancer sends nothing new here, and clients whose connections stay open come by others. Who begins to end then
has little time, and must have ended before the server gives up what is left.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from starlette.types import Scope

from service.api.layer import Header

# For what is under way when a process begins to end; the server itself waits a second longer (`service.serving`).
LAST_SECONDS = 6.0


class Stopping:
    """Whether this process was told to stop, and who is to hear of it when it begins to end."""

    def __init__(self, *, drain_seconds: float) -> None:
        self.is_told = False
        self._drain_seconds = drain_seconds
        self._acts: list[Callable[[], None]] = []
        self._draining: asyncio.TimerHandle | None = None

    def mark(self, scope: Scope, status: int, headers: list[Header]) -> None:  # noqa: ARG002  # as every mark
        """Say with each answer of a process that was told to stop that its connection ends (RFC 9112, section 9.6)."""
        if self.is_told:
            headers.append((b"connection", b"close"))

    def then(self, act: Callable[[], None]) -> None:
        """Have `act` called, on the loop, when the process begins to end."""
        self._acts.append(act)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Take the signals to stop while the block lasts, and pass them on to the server's own handlers in the end.

        A second signal ends the draining.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # no signal arrives here
            return
        loop = asyncio.get_running_loop()
        former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        handlers = {number: handler for number, handler in former.items() if callable(handler)}

        def stop(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._tell, lambda: handlers[signal.Signals(number)](number, frame))

        for number in handlers:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _tell(self, end: Callable[[], object]) -> None:
        if self._draining is not None:
            self._draining.cancel()
            self._end(end)
            return
        self.is_told = True
        self._draining = asyncio.get_running_loop().call_later(self._drain_seconds, self._end, end)

    def _end(self, end: Callable[[], object]) -> None:
        """Have everybody end, before the server begins to wait for them."""
        for act in self._acts:
            act()
        end()
