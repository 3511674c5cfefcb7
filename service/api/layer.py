"""What lies around the application: pure ASGI, so that streams pass through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]
# Adds to the headers of an answer what every answer bears: of the request it gets the scope, of the answer the status.
Mark = Callable[[Scope, int, list[Header]], None]

_EVENT_STREAM = b"text/event-stream"
_FAILED = 500  # what the server answers to a request whose answer never began


class Answer:
    """The answer to a request on its way out: what became of it, and the one place in which all layers see it pass.

    Each layer that wrapped `send` for itself would cost every message another call.
    """

    __slots__ = ("_acts", "_marks", "_scope", "_send", "has_begun", "is_stream", "size", "status")

    def __init__(self, scope: Scope, send: Send, marks: tuple[Mark, ...]) -> None:
        self._scope = scope
        self._send = send
        self._marks = marks
        self._acts: list[Callable[[], None]] = []
        self.has_begun = False
        self.is_stream = False
        self.status = _FAILED
        self.size = 0

    def when_begun(self, act: Callable[[], None]) -> None:
        """Have `act` called when the answer begins."""
        self._acts.append(act)

    async def send(self, message: Message) -> None:
        """Send a part of the answer; its beginning with what every answer bears."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            self.status = message["status"]
            for act in self._acts:
                act()
            headers: list[Header] = list(message.get("headers", ()))
            self.is_stream = any(value.startswith(_EVENT_STREAM) for name, value in headers if name == b"content-type")
            for mark in self._marks:
                mark(self._scope, self.status, headers)
            message["headers"] = headers
        else:
            self.size += len(message.get("body", b""))
        await self._send(message)


def answer_of(scope: Scope) -> Answer:
    """Give the answer to a request, as the layers see it."""
    answer: Answer = scope["state"]["answer"]
    return answer


class Layer(ABC):
    """A layer around the application that HTTP passes through, and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on by way of this layer, and what is none as it is."""
        passes = self.app if scope["type"] != "http" else self.handle
        return passes(scope, receive, send)

    @abstractmethod
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
