"""The limits of a request: of its query string, of its body, of its time, and of how many there are at once.

Each is a layer of its own, and an operator's to set; what is beyond one is refused with problem details like any other.
"""

from __future__ import annotations

import asyncio
import math
import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.layer import Layer, answer_of
from service.api.problems import BUSY, MAY_BE_DONE, QUERY_TOO_LONG, TOO_SLOW, problem
from service.api.stopping import LAST_SECONDS, Stopping
from service.errors import Invalid

# Who watches over the service is answered even when all others have to wait.
_WATCHED = ("/health/", "/metrics")
# What brings many events has limits of its own.
_IMPORT = re.compile(r"/v1/timelines/[^/]+/import")
_OF_A_BODY = (b"content-length", b"transfer-encoding")
_FULL = "as many requests as are taken at once wait for their answers"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_SHAPE = bytes(set(range(256)) - set(b"[]{},"))
_INNERMOST = re.compile(rb"\[,*\]|\{,*\}")


class QueryLimit(Layer):
    """Refuse a query string of more than so many bytes, before anyone takes it apart."""

    def __init__(self, app: ASGIApp, *, query_bytes: int) -> None:
        super().__init__(app)
        self._most = query_bytes

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 414."""
        if len(scope["query_string"]) <= self._most:
            await self.app(scope, receive, send)
            return
        refusal = problem(Request(scope), QUERY_TOO_LONG, f"a query string has at most {self._most} bytes")
        await refusal(scope, receive, send)


class RequestLimit(Layer):
    """Have so many requests at once, and each wait so long for the beginning of its answer.

    What has begun counts no more: an event stream or an export goes on for as long as it takes, and has limits of its
    own. Nor does a request count while its body is still to come, though its time runs: whoever sends heads of requests
    and nothing more would shut everyone out. Where no place is free once it has come, the reader of the body is told.
    """

    def __init__(
        self, app: ASGIApp, *, requests: int, seconds: float, import_seconds: float, stopping: Stopping
    ) -> None:
        super().__init__(app)
        self._most = requests
        self._seconds = seconds
        self._import_seconds = import_seconds
        self._waiting = 0
        self._limits: set[asyncio.Timeout] = set()
        self._last = math.inf  # of the times at which a request is given up, once the process begins to end
        stopping.then(self._hurry)

    def _hurry(self) -> None:
        """Have those who wait answered before the server itself gives them up, without a word."""
        self._last = asyncio.get_running_loop().time() + LAST_SECONDS
        for limit in self._limits:
            if not limit.expired() and (when := limit.when()) is not None:
                limit.reschedule(min(when, self._last))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 503: at once where too many wait, or when its time is up."""
        if scope["path"].startswith(_WATCHED):
            await self.app(scope, receive, send)
        elif self._waiting >= self._most:
            await problem(Request(scope), BUSY, _FULL)(scope, receive, send)
        else:
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_whole, counts = False, True
        answer = answer_of(scope)
        seconds = self._import_seconds if _is_import(scope) else self._seconds
        self._waiting += 1

        async def receive_uncounted() -> Message:
            nonlocal is_whole, counts
            if answer.has_begun or is_whole:
                return await receive()
            self._waiting -= counts
            counts = False
            message = await receive()
            is_whole = not message.get("more_body", False)
            if not answer.has_begun:
                if self._waiting >= self._most:
                    raise HTTPException(BUSY.status, _FULL)
                self._waiting += 1
                counts = True
            return message

        def begun() -> None:
            nonlocal counts
            self._waiting -= counts
            counts = False
            # what begins later is the answer to a fault, made further outside
            if limit in self._limits and not limit.expired():
                limit.reschedule(None)

        answer.when_begun(begun)
        limit = asyncio.timeout_at(min(asyncio.get_running_loop().time() + seconds, self._last))
        try:
            async with limit:
                self._limits.add(limit)
                await self.app(scope, receive_uncounted, send)
        except TimeoutError:
            if answer.has_begun or not limit.expired():
                raise  # it is another's
            given_up = problem(
                Request(scope), TOO_SLOW, _given_up(scope["method"], self._why(seconds), has_body=counts)
            )
            await given_up(scope, receive, send)
        finally:
            self._limits.discard(limit)
            self._waiting -= counts

    def _why(self, seconds: float) -> str:
        return f"after {seconds:g} seconds" if self._last == math.inf else "since the service ends"


def _given_up(method: str, why: str, *, has_body: bool) -> str:
    """Say what was given up, and what may have become of it: a commit can be on its way when the time is up."""
    if not has_body:
        return f"the wait for the body was given up {why}, and nothing was done"
    unsure = "" if method == "GET" else f". {MAY_BE_DONE}"
    return f"the request was given up {why}{unsure}"


class BodyLimit(Layer):
    """Refuse a body of more than so many bytes to whoever reads it: at once where its length is told beforehand."""

    def __init__(self, app: ASGIApp, *, body_bytes: int, import_bytes: int) -> None:
        super().__init__(app)
        self._most = body_bytes
        self._most_imported = import_bytes

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted. Raises HTTPException to the reader of too large a body."""
        if scope["method"] == "GET" and not any(name in _OF_A_BODY for name, _ in scope["headers"]):
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        most = self._most_imported if _is_import(scope) else self._most
        is_too_large = told.isdecimal() and int(told[:20]) > most
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            if is_too_large:
                raise HTTPException(413, f"a body has at most {most} bytes")
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413, f"a body has at most {most} bytes")
            return message

        await self.app(scope, receive_counted, send)


def _is_import(scope: Scope) -> bool:
    return scope["method"] == "POST" and _IMPORT.fullmatch(scope["path"]) is not None


def check_shape(content: bytes, *, depth: int, items: int) -> None:
    """Raise Invalid for JSON with too much in it: arrays and objects within each other, or items of one array.

    It looks at brackets and commas alone, before anything is built of them; what is no JSON is for its reader to
    refuse.
    """
    if content.count(b"[") + content.count(b"{") <= depth and content.count(b",") < items:
        return
    shape = _STRING.sub(b"", content).translate(None, delete=_NO_SHAPE)
    long = re.compile(rb"\[,{%d,}" % items)
    for _ in range(depth):
        # of what stands within it, an array has only the commas left
        if long.search(shape):
            raise Invalid(f"has an array of more than {items} items", pointer="")
        rest = _INNERMOST.sub(b"", shape)
        if rest == shape:
            return
        shape = rest
    if _INNERMOST.search(shape):
        raise Invalid(f"has arrays or objects within each other more than {depth} deep", pointer="")
