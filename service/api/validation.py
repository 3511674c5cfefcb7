"""An entity tag for what bears none, so that who holds it already is told so (RFC 9110, sections 8.8.3 and 13.1.2).

What has a version bears that. All else that is read, such as a page of events, is tagged by its content: it takes as
long to make, but is not sent again, and a cache that has to ask each time (`service.api.caching`) has something to ask.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service.api.caching import WATCHED
from service.api.etag import HELD_HEADER, MOST_TAGS_CHARACTERS, names
from service.api.layer import Header, Layer
from service.api.problems import InvalidParameters, invalid_parameters

_TAG_BYTES = 15  # written in 20 characters, as no version is
_OF_CONTENT = frozenset({b"content-length", b"content-type", b"content-disposition"})


class Validation(Layer):
    """Have whole answers to GET bear an entity tag, and answer 304 to who holds one of the same."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer back."""
        if scope["method"] != "GET" or scope["path"].startswith(WATCHED):
            await self.app(scope, receive, send)
            return
        held = b", ".join(value for name, value in scope["headers"] if name == b"if-none-match")
        if len(held) > MOST_TAGS_CHARACTERS:
            error = InvalidParameters({HELD_HEADER: f"must have at most {MOST_TAGS_CHARACTERS:,} characters"})
            await invalid_parameters(Request(scope), error)(scope, receive, send)
            return
        await self.app(scope, receive, _Validated(send, held.decode("latin-1")))


class _Validated:
    """An answer on its way out; its head waits for its content, which decides on it."""

    def __init__(self, send: Send, held: str) -> None:
        self._send = send
        self._held = held
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message, or two."""
        if self._start is not None:
            start, self._start = self._start, None
            if not message.get("more_body", False):
                message = self._tag(start, message)
            await self._send(start)
        elif message["type"] == "http.response.start" and message["status"] == 200 and _is_untagged(message):  # noqa: PLR2004  # OK
            self._start = message
            return
        await self._send(message)

    def _tag(self, start: Message, body: Message) -> Message:
        """Write the tag into the head; where the client holds it, nothing follows."""
        tag = urlsafe_b64encode(sha256(body.get("body", b"")).digest()[:_TAG_BYTES])
        headers: list[Header] = [*start["headers"], (b"etag", b'"%b"' % tag)]
        if self._held and names(self._held, tag.decode()):
            start["status"] = 304
            headers = [header for header in headers if header[0] not in _OF_CONTENT]
            body = {**body, "body": b""}
        start["headers"] = headers
        return body


def _is_untagged(start: Message) -> bool:
    """Tell whether an answer comes as a whole, and has no tag of its own."""
    borne = {name for name, _ in start["headers"]}
    return b"content-length" in borne and b"etag" not in borne
