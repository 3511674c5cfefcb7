"""What every answer tells a browser to refrain from.

The service has no cookies, and a key is sent by whoever means to; what remains is that a browser takes an answer for
what it is not, or shows it inside of something else.
"""

from __future__ import annotations

from starlette.types import Scope

from service.api.layer import Header


class SecurityHeaders:
    """Add to each answer the headers that it has not got itself.

    `is_shared` says that pages from elsewhere are meant to use what is here. With `hsts_seconds` a browser is told to
    come by TLS alone for so long (RFC 6797): true only where TLS is in front of the service.
    """

    def __init__(self, *, is_shared: bool, hsts_seconds: int | None) -> None:
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

    def mark(self, scope: Scope, status: int, headers: list[Header]) -> None:  # noqa: ARG002  # as every mark
        """Add those that are not there."""
        present = {name for name, _ in headers}
        headers += [header for header in self._headers if header[0] not in present]
