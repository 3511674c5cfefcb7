"""Each request seen from outside: one line in the log, and its part in the figures. Pure ASGI: streams pass through."""

from __future__ import annotations

from time import perf_counter
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from service.api.figures import Asked, Figures
from service.api.routes import Templates
from service.api.trace import trace_of
from service.logs import lines

_PATH_BYTES = 300
_EVENT_STREAM = b"text/event-stream"
_FAILED = 500  # what the server answers to a request whose answer never began


class Observation:
    """Log and count each request once it is answered, and name it in all that is logged meanwhile.

    No query stands in the log, no header and no body: what a client means to keep to itself may be there.
    """

    def __init__(self, app: ASGIApp, figures: Figures, templates: Templates) -> None:
        self.app = app
        self._figures = figures
        self._templates = templates
        self._log = lines("dateline.access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and look at what comes back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        status, size, is_stream = _FAILED, 0, False
        trace = trace_of(scope)
        named = bind_contextvars(
            request_id=scope["state"]["request_id"], trace_id=trace.trace_id, span_id=trace.span_id
        )

        async def send_seen(message: Message) -> None:
            nonlocal status, size, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(
                    value.startswith(_EVENT_STREAM) for name, value in message["headers"] if name == b"content-type"
                )
            else:
                size += len(message.get("body", b""))
            await send(message)

        self._figures.in_flight.inc()
        try:
            await self.app(scope, receive, send_seen)
        finally:
            seconds = perf_counter() - started
            asked = Asked(scope["method"], self._templates.find(scope), status)
            self._figures.in_flight.dec()
            self._figures.count(asked, None if is_stream else seconds)
            self._log.info("request", **_line(scope, asked, seconds, size, trace.parent_id))
            reset_contextvars(**named)


def _line(scope: Scope, asked: Asked, seconds: float, size: int, parent_id: str | None) -> dict[str, Any]:
    client = scope.get("client")
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    line = {
        "method": asked.method,
        "route": asked.route,
        # as it came: percent-encoded, so that nobody writes lines of his own
        "path": raw.partition(b"?")[0][:_PATH_BYTES].decode("ascii", "backslashreplace"),
        "status": asked.status,
        "duration_ms": round(seconds * 1000, 3),
        "bytes": size,
        "client": client[0] if client else None,
    }
    if parent_id is not None:
        line["parent_id"] = parent_id
    if (caller := scope["state"].get("caller")) is not None:
        line["caller"] = caller
    return line
