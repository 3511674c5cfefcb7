"""A name for each request, in the answer and in the log."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from service.api.layer import Layer

_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,100}")


class RequestId(Layer):
    """Take the request's `X-Request-Id` if it is harmless, or make one; send it back."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its name."""
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _GIVEN.fullmatch(given) else uuid7().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        await self.app(scope, receive, send_named)
