"""The limit of a request's body: pure ASGI, so that the refusal becomes problem details like any other."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 1024 * 1024


class BodyLimit:
    """Refuse a body of more than BODY_BYTES to whoever reads it: at once where its length is told beforehand."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted. Raises HTTPException to the reader of too large a body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        is_too_large = told.isdecimal() and int(told[:20]) > BODY_BYTES
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            if is_too_large:
                raise HTTPException(413)
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_counted, send)
