"""What every answer tells a browser to refrain from: pure ASGI, so that streams pass through.

The service has no cookies, and a key is sent by whoever means to; what remains is that a browser takes an answer for
what it is not, or shows it inside of something else.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class SecurityHeaders:
    """Add to each answer the headers that it has not got itself.

    `is_shared` says that pages from elsewhere are meant to use what is here. With `hsts_seconds` a browser is told to
    come by TLS alone for so long (RFC 6797): true only where TLS is in front of the service.
    """

    def __init__(self, app: ASGIApp, *, is_shared: bool, hsts_seconds: int | None) -> None:
        self.app = app
        headers = {
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "cross-origin" if is_shared else "same-origin",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        if hsts_seconds is not None:
            headers["Strict-Transport-Security"] = f"max-age={hsts_seconds}"
        self._headers = tuple((name.lower().encode(), value.encode()) for name, value in headers.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with its headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self._headers if header[0] not in present),
                ]
            await send(message)

        await self.app(scope, receive, send_safe)
