"""A client of the application as it is, in this process: no network, a real database.

Requests run on the application's own event loop, in a thread of their own, so that a test may send several at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings
from tests.keys import ADMIN, bearer
from tests.pooler import Way

Asked = str | int | bool | Sequence[str] | None


class Client:
    """Someone who talks to the service."""

    def __init__(self, app: FastAPI, portal: BlockingPortal, http: httpx.AsyncClient) -> None:
        self.app = app
        self.portal = portal
        self._http = http

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Asked] | None = None,
        headers: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
        json: object = None,
        content: bytes | AsyncIterable[bytes] | None = None,
    ) -> httpx.Response:
        return self.portal.call(
            lambda: self._http.request(method, path, params=params, headers=headers, json=json, content=content)
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None, /, **parameters: Asked) -> httpx.Response:
        return self.send("GET", path, params=parameters or None, headers=headers)

    def post(self, path: str, body: object, /, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.send("POST", path, json=body, headers=headers)

    def put(self, path: str, body: object, /, if_match: str | None = None, **headers: str) -> httpx.Response:
        return self.send("PUT", path, json=body, headers=_conditions(if_match) | headers)

    def patch(self, path: str, body: object, /, if_match: str | None = None) -> httpx.Response:
        return self.send("PATCH", path, json=body, headers=_conditions(if_match))

    def delete(self, path: str, /, if_match: str | None = None) -> httpx.Response:
        return self.send("DELETE", path, headers=_conditions(if_match))

    def listen(
        self, path: str, messages: int, headers: Mapping[str, str] | None = None, /, **parameters: Asked
    ) -> httpx.Response:
        """Ask for an event stream, read so many messages of it, and leave; or read on to its end."""
        sent = {"Accept": "text/event-stream", **(headers or {})}
        request = self._http.build_request("GET", path, params=parameters, headers=sent)
        return self.portal.call(_listen, self.app, request, messages)

    def wait_for_feed(self) -> None:
        """Wait until every change can be read: PostgreSQL's own work may hold the horizon up for a moment."""
        deadline = time.monotonic() + 10
        while "\ndateline_feed_changes_behind_horizon 0.0\n" not in self.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def read(self, path: str, /, **parameters: Asked) -> dict[str, Any]:
        """Read what must be there."""
        answer = self.send("GET", path, params=parameters)
        assert answer.status_code == 200, answer.text
        read: dict[str, Any] = answer.json()
        return read

    def pages(self, path: str, /, **parameters: Asked) -> Iterator[dict[str, Any]]:
        """Follow `next` from the first page to the last."""
        page = self.read(path, **parameters)
        yield page
        while page["next"] is not None:
            page = self.read(path, **parameters | {"cursor": page["next"]})
            yield page

    def walk(self, path: str, /, **parameters: Asked) -> list[Any]:
        """Read all items, page by page."""
        return [item for page in self.pages(path, **parameters) for item in page["items"]]

    def titles(self, path: str, /, **parameters: Asked) -> list[str]:
        """Read the titles of all events that match, in order."""
        return [event["title"] for event in self.walk(path, **parameters)]


def _conditions(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"If-Match": if_match}


async def _listen(app: FastAPI, request: httpx.Request, messages: int) -> httpx.Response:
    # httpx would wait for the end of the answer, which a stream has not
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }
    sent: list[MutableMapping[str, Any]] = []
    heard = asyncio.Event()

    def text() -> bytes:
        return b"".join(one.get("body", b"") for one in sent)

    async def receive() -> MutableMapping[str, Any]:
        await heard.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)
        if text().count(b"\n\n") >= messages:
            heard.set()

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=text())


@contextmanager
def connected(
    url: str, *, base_url: str = "http://localhost", key: str | None = ADMIN, **settings: str | float | None
) -> Iterator[Client]:
    """Start the application on a database, and talk to it until the block ends, with a key unless told otherwise."""
    app = create_app(Settings.model_validate({**Way.to(url), "worker": False, **settings}))
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=base_url)
    http.headers["Accept-Encoding"] = "identity"  # with the tags that writes are answered with
    if key is not None:
        http.headers.update(bearer(key))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
        portal.wrap_async_context_manager(http),
    ):
        yield Client(app, portal, http)
