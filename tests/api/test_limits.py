"""The limits of a request: what is beyond one is refused, told beforehand or not; what is within is answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import psycopg
import pytest

from service.api.limits import check_depth
from service.errors import Invalid
from tests.api.test_problems import is_problem
from tests.client import Client, connected
from tests.factories import event_body, make_timeline

JSON = {"Content-Type": "application/json"}
SECONDS = 1.0


@pytest.fixture(scope="module")
def small(module_database_url: str) -> Iterator[Client]:
    """Answer a client of a service with small limits."""
    limits: dict[str, Any] = {
        "body_bytes": 2000,
        "json_depth": 8,
        "query_bytes": 300,
        "request_timeout_seconds": SECONDS,
    }
    with connected(module_database_url, **limits) as client:
        yield client


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


def _sent(content: bytes, *, chunked: bool) -> bytes | AsyncIterator[bytes]:
    return _pieces(content) if chunked else content


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_its_limit(small: Client, *, chunked: bool) -> None:
    events, body = make_timeline(small), json.dumps(event_body()).encode()
    fits = body + b" " * (2000 - len(body))
    assert small.send("POST", events, content=_sent(fits, chunked=chunked), headers=JSON).status_code == 201
    for length in (1, 5000):
        beyond = _sent(fits + b" " * length, chunked=chunked)
        problem = is_problem(small.send("POST", events, content=beyond, headers=JSON), 413, "too-large")
        assert "2000 bytes" in problem["detail"]
    assert len(small.walk(events)) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_json_is_only_so_deep(small: Client, *, chunked: bool) -> None:
    events = make_timeline(small)
    for depth, words in ((8, "is unknown here"), (9, "more than 8 deep"), (400, "more than 8 deep")):
        content = b'{"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
        answer = small.send("POST", events, content=_sent(content, chunked=chunked), headers=JSON)
        assert words in is_problem(answer, 422, "invalid-body")["detail"]
    # brackets in a text are no depth
    title = event_body(title="[" * 400 + '\\"{')
    assert small.post(events, title).status_code == 201


@pytest.mark.parametrize(
    "content",
    [
        b"[[[]]]",
        b'["[[[["]',
        b'{"a":{"b":1}}',
        rb'["\"[[[", "\\", [[]]]',
        b"[[],[],[],[],[]]",
        b"]]]]",
        b'"[[[[',
        b"",
        b"\xff",
    ],
)
def test_what_is_shallow_passes(content: bytes) -> None:
    check_depth(content, 3)


@pytest.mark.parametrize("content", [b"[[[[", b'[{"a":[{', rb'["\\",[[[1', b'{"a":"b]","c":{"d":[[]]}}'])
def test_what_is_deep_does_not(content: bytes) -> None:
    with pytest.raises(Invalid):
        check_depth(content, 3)


def test_depth_is_measured_in_no_time() -> None:
    began = time.process_time()
    for content in (b"[]" * 500_000, b"[" * 1_000_000, b'"\\"' * 300_000, b'"' + b"\\" * 1_000_000):
        with suppress(Invalid):
            check_depth(content, 3)
    assert time.process_time() - began < 2


def test_a_query_string_has_its_limit(small: Client) -> None:
    for path in ("/v1/events", "/v1/nothing", "/health/live", "/v1/dates"):
        is_problem(small.send("GET", f"{path}?q={'a' * 299}"), 414, "query-too-long")
        assert small.send("GET", f"{path}?q={'a' * 298}").status_code in (200, 400, 404)


def test_a_request_is_given_up_in_time(small: Client, module_database_url: str) -> None:
    events = make_timeline(small)
    with psycopg.connect(module_database_url) as holding, ThreadPoolExecutor(1) as pool:
        holding.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        waiting = pool.submit(small.post, events, event_body(), {"Idempotency-Key": "given up"})
        problem = is_problem(given_up := waiting.result(), 503, "too-slow")
        assert "It may have been done" in problem["detail"]
        assert int(given_up.headers["retry-after"]) > 0
        assert SECONDS <= time.monotonic() - began < 4 * SECONDS
        assert "done" not in is_problem(small.get(events), 503, "too-slow")["detail"], "a reader has done nothing"
    # nothing of it is left: not its write, nor its key, nor its connection
    assert small.walk(events) == []
    assert small.post(events, event_body(), {"Idempotency-Key": "given up"}).status_code == 201


def test_bodies_that_do_not_come_shut_nobody_out(module_database_url: str) -> None:
    limits: dict[str, Any] = {"request_timeout_seconds": SECONDS, "requests": 2}
    body = json.dumps(event_body()).encode()

    async def begun() -> AsyncIterator[bytes]:
        yield body[:10]
        await asyncio.sleep(60)

    with connected(module_database_url, **limits) as client:
        events = make_timeline(client)

        async def run() -> list[httpx.Response]:
            slow = [asyncio.create_task(client._http.post(events, content=begun(), headers=JSON)) for _ in range(6)]
            await asyncio.sleep(SECONDS / 3)
            assert (await client._http.post(events, content=body, headers=JSON)).status_code == 201
            return await asyncio.gather(*slow)

        began = time.monotonic()
        for answer in client.portal.call(run):
            assert "body had not come" in is_problem(answer, 503, "too-slow")["detail"]
        assert SECONDS <= time.monotonic() - began < 4 * SECONDS
        assert [client.get(events).status_code for _ in range(3)] == [200] * 3, "every place is free again"


def test_a_request_counts_once_its_body_has_come(module_database_url: str) -> None:
    body = json.dumps(event_body()).encode()

    with connected(module_database_url, requests=1) as client, psycopg.connect(module_database_url) as holding:
        events = make_timeline(client)
        goes_on = client.portal.call(asyncio.Event)

        async def held() -> AsyncIterator[bytes]:
            yield body[:10]
            await goes_on.wait()
            yield body[10:]

        async def run() -> tuple[httpx.Response, ...]:
            late = asyncio.create_task(client._http.post(events, content=held(), headers=JSON))
            await asyncio.sleep(0.1)
            working = asyncio.create_task(client._http.post(events, content=body, headers=JSON))
            await asyncio.sleep(0.2)
            goes_on.set()
            refused = await late
            await asyncio.to_thread(holding.rollback)
            return refused, await working

        holding.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        refused, done = client.portal.call(run)
        is_problem(refused, 503, "busy")
        assert int(refused.headers["retry-after"]) > 0
        assert done.status_code == 201
        assert len(client.walk(events)) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_sends_no_body_where_none_is_read_counts(module_database_url: str, method: str) -> None:
    """A head that announces a body is no way around the limit."""
    headers = {"Content-Length": "10"} if method == "GET" else JSON
    with connected(module_database_url, requests=1) as client, psycopg.connect(module_database_url) as holding:
        events = make_timeline(client)
        holding.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")

        async def run() -> httpx.Response:
            content = json.dumps(event_body()).encode() if method == "POST" else None
            working = asyncio.create_task(client._http.request(method, events, headers=headers, content=content))
            await asyncio.sleep(0.2)
            answer = await client._http.get("/v1/actors")
            await asyncio.to_thread(holding.rollback)
            assert (await working).is_success
            return answer

        is_problem(client.portal.call(run), 503, "busy")


def test_a_stream_outlasts_the_limit_of_a_request_and_takes_no_room(module_database_url: str) -> None:
    limits: dict[str, Any] = {"request_timeout_seconds": 0.4, "stream_heartbeat_seconds": 0.3, "requests": 1}
    with connected(module_database_url, **limits) as client, ThreadPoolExecutor(1) as pool:
        changes = make_timeline(client).removesuffix("events") + "changes"
        began = time.monotonic()
        stream = pool.submit(client.listen, changes, 5)
        time.sleep(0.3)
        assert client.get("/v1/actors").status_code == 200, "there is room for one more"
        assert stream.result().text.count(": here") >= 3
        assert time.monotonic() - began > 0.8
