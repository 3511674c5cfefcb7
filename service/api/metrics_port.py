"""The figures on a port of their own: there is nothing else there, and they are nowhere else. Pure ASGI."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import NOT_FOUND, problem

_PATH = "/metrics"


class MetricsPort:
    """Find `/metrics` on this port alone, and nothing else on it: the same server listens on both."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what came by the right port; the rest is not there."""
        # the port is the socket's own, whatever the request says of itself
        if scope["type"] == "http" and (scope["path"] == _PATH) is not (scope["server"][1] == self._port):
            detail = "no such thing: on this port it is not to be had"
            await problem(Request(scope), NOT_FOUND, detail)(scope, receive, send)
            return
        await self.app(scope, receive, send)
