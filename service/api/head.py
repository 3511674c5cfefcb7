"""HEAD wherever GET is (RFC 9110, section 9.3.2)."""

from __future__ import annotations

from starlette.types import Message, Receive, Scope, Send

from service.api.layer import Layer


class Head(Layer):
    """Answer HEAD as GET would, without the content; its length stays in the header."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; of an answer to HEAD keep the head, and have it end there."""
        if scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            # nothing follows the head, whatever the answer still has to say: a stream might never end by itself
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        asked = {**scope, "method": "GET"}
        try:
            await self.app(asked, receive, send_head)
        finally:
            # who counts the request by its route looks for it where it came from
            scope.update((name, asked[name]) for name in ("route", "endpoint") if name in asked)
