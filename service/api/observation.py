"""Each request seen from outside: one line in the log, and its part in the figures. Pure ASGI: streams pass through."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.figures import Asked, Figures
from service.api.layer import Answer, Layer, Mark
from service.api.request_id import request_id_of
from service.api.routes import Templates
from service.api.trace import trace_of
from service.logs import Lines, about, about_nothing

_PATH_BYTES = 300


class Observation(Layer):
    """Name each request, send its answer with what all answers bear (`marks`), and log and count it then.

    The name stands in all that is logged meanwhile. No query stands in the log, no header and no body: what a client
    means to keep to itself may be there.
    """

    def __init__(self, app: ASGIApp, figures: Figures, templates: Templates, marks: Sequence[Mark]) -> None:
        super().__init__(app)
        self._figures = figures
        self._templates = templates
        self._marks = tuple(marks)
        self._log = Lines("dateline.access")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and look at what comes back."""
        started = perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = request_id_of(scope)
        state["answer"] = answer = Answer(scope, send, self._marks)
        trace = trace_of(scope)
        named = about({"request_id": request_id, "trace_id": trace.trace_id, "span_id": trace.span_id})
        self._figures.in_flight.inc()
        try:
            await self.app(scope, receive, answer.send)
        finally:
            seconds = perf_counter() - started
            asked = Asked(scope["method"], self._templates.find(scope), answer.status)
            self._figures.in_flight.dec()
            self._figures.count(asked, None if answer.is_stream else seconds)
            self._log.info("request", _line(scope, asked, seconds, answer.size, trace.parent_id))
            about_nothing(named)


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
