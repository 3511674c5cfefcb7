"""Answers made of stored documents: their bytes are sent as they are, none becomes a Python object."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.api.etag import etag
from service.api.problems import MEDIA_TYPE
from service.api.slow_client import Clients, SlowClientError
from service.errors import Unavailable
from service.store.record import Stored
from service.wire.shape import document_shape

logger = logging.getLogger("dateline.exports")

JSON = "application/json"
NDJSON = "application/x-ndjson"
TEXT = "text/plain"


class ListPage(Protocol):
    """A page that is written as a whole: a model with the cursor of the next one."""

    @property
    def next(self) -> str | None:
        """The cursor of the next page; None on the last one."""

    def model_dump_json(self) -> str:
        """Write it as JSON."""


# What FastAPI takes as the documentation of an operation's answers.
Responses = dict[int | str, dict[str, Any]]


def document(content: bytes, tag: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one document and its entity tag."""
    return Response(content, status, {"ETag": tag, **(headers or {})}, JSON)


def event_tag(version: int) -> str:
    """Write an event's version as the entity tag of what is told of it in the present shape."""
    return etag(version, document_shape())


def written(stored: Stored, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with an event as it stands after a write, and its entity tag."""
    return document(stored.document, event_tag(stored.version), status=status, headers=headers)


def entry(content: BaseModel, tag: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with one entry and its entity tag."""
    return document(content.model_dump_json().encode(), tag, status=status, headers=headers)


def not_modified(tag: str) -> Response:
    """Answer that the client's copy is the present one."""
    return Response(None, 304, {"ETag": tag})


def page(
    request: Request,
    items: list[bytes],
    next_cursor: str | None,
    *,
    headers: Mapping[str, str] | None = None,
    **members: bytes,
) -> Response:
    """Answer with a page: its items' bytes joined, the cursor of the next page, and what else is given as JSON."""
    sent = dict(headers or {})
    tail = b"null"
    if next_cursor is not None:
        tail = b'"%b"' % next_cursor.encode()
        sent["Link"] = f'<{next_link(request, next_cursor)}>; rel="next"'
    others = b"".join(b',"%b":%b' % (name.encode(), value) for name, value in members.items())
    return Response(b'{"items":[%b],"next":%b%b}' % (b",".join(items), tail, others), 200, sent, JSON)


def listed(request: Request, content: ListPage) -> Response:
    """Answer with a page of what is no event, and link to the next one."""
    return Response(content.model_dump_json(), 200, next_header(request, content.next), JSON)


class HeldStream(StreamingResponse):
    """A streamed answer that gives back what it holds however it ends, even if nobody reads its first line.

    A client that has not taken a part of it after `send_timeout_seconds` gets no more. Whoever leaves while the next
    part is made ends that once, and in peace: where Starlette has ended a stream, nothing can be waited for any more,
    and a connection to the database would not live through that.
    """

    def __init__(
        self,
        content: AsyncIterator[bytes],
        held: AsyncExitStack,
        *,
        media_type: str,
        headers: Mapping[str, str],
        clients: Clients,
        send_timeout_seconds: float,
    ) -> None:
        super().__init__(self._parts(content), 200, headers, media_type)
        self._making: asyncio.Task[bytes | None] | None = None
        self._held = held
        self._clients = clients
        self._send_timeout_seconds = send_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            async with self._held:
                try:
                    await super().__call__(scope, receive, send)
                finally:
                    await self._leave_off()
        except Unavailable as error:
            # the answer stays incomplete, on which the server closes the connection
            logger.warning("an export was ended: %s", error)

    async def _parts(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Have each part made by a task of its own, which goes on when whoever waits for it is cancelled."""
        while True:
            self._making = asyncio.create_task(_next(content))
            part = await asyncio.shield(self._making)
            if part is None:
                return
            yield part

    async def _leave_off(self) -> None:
        if self._making is not None and not self._making.done():
            self._making.cancel()
            await asyncio.wait({self._making})

    async def stream_response(self, send: Send) -> None:
        """Send part after part; stop at a client that takes none for too long."""
        try:
            await super().stream_response(self._clients.patient(send, self._send_timeout_seconds))
        except SlowClientError:
            # the answer stays incomplete, on which the server closes the connection
            logger.info("an export was ended: its client has taken nothing for too long")


async def _next(content: AsyncIterator[bytes]) -> bytes | None:
    return await anext(content, None)


def next_link(request: Request, next_cursor: str) -> str:
    """Give the address of the next page, relative to the service (RFC 8288, section 3)."""
    return link(request, cursor=next_cursor)


def link(request: Request, **changed: str | None) -> str:
    """Give the address of what is asked for, relative to the service, with other parameters; None takes one away."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    asked += [(name, value) for name, value in changed.items() if value is not None]
    return f"{quote(request.scope['path'])}?{urlencode(asked)}"


def next_header(request: Request, next_cursor: str | None) -> dict[str, str]:
    """Link to the next page, if there is one."""
    return {} if next_cursor is None else {"Link": f'<{next_link(request, next_cursor)}>; rel="next"'}


def headers(*names: str) -> dict[str, Any]:
    """Document the headers of an answer, by the names of the document's components."""
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def problems(*statuses: int, asks_database: bool = True, is_limited: bool = True) -> Responses:
    """Document the errors that an operation may answer with; `is_limited`: it waits its turn, and is counted."""
    common = (414, 500, *((429,) if is_limited else ()), *((503,) if is_limited or asks_database else ()))
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in (*statuses, *common)
    }


_DESCRIPTIONS = {
    400: "A parameter, a header, a cursor or the body's form is refused.",
    401: "The key is missing, or opens nothing.",
    403: "The key does not open this.",
    404: "There is no such thing.",
    406: "No representation is of a type that is accepted.",
    410: "It was deleted.",
    409: "It exists already, is in use, or is being done.",
    412: "The present version is another than the one expected.",
    413: "The body is too large.",
    414: "The query string is too long.",
    415: "The body's media type is not taken here.",
    422: "The body is refused, each member by its name; or the key stands for another request.",
    428: "`If-Match` is needed.",
    429: "Too many requests came from this address, or with this key.",
    500: "The fault is ours.",
    503: "The service or the database cannot answer now, or not in time.",
}
