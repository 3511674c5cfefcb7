"""How long a request may take, and how many wait at once, bodies that are still to come left aside."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from tests.api.test_problems import is_problem
from tests.client import Client, connected
from tests.factories import event_body, make_timeline
from tests.waiting import wait_for_waiters

JSON = {"Content-Type": "application/json"}
SECONDS = 2.0


@pytest.fixture(scope="module")
def small(module_database_url: str) -> Iterator[Client]:
    """Answer a client of a service that gives a request little time."""
    with connected(module_database_url, request_timeout_seconds=SECONDS) as client:
        yield client


def test_a_request_is_given_up_in_time(small: Client, module_database_url: str) -> None:
    events = make_timeline(small)
    with psycopg.connect(module_database_url) as holding, ThreadPoolExecutor(1) as pool:
        holding.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        waiting = pool.submit(small.post, events, event_body(), {"Idempotency-Key": "given up"})
        problem = is_problem(given_up := waiting.result(), 503, "too-slow")
        assert "It may have been done" in problem["detail"]
        assert int(given_up.headers["retry-after"]) > 0
        assert SECONDS <= time.monotonic() - began < 8 * SECONDS
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
            assert "the wait for the body was given up" in is_problem(answer, 503, "too-slow")["detail"]
        assert SECONDS <= time.monotonic() - began < 8 * SECONDS
        assert [client.get(events).status_code for _ in range(3)] == [200] * 3, "every place is free again"


def test_a_request_counts_once_its_body_has_come(module_database_url: str) -> None:
    body = json.dumps(event_body()).encode()

    with (
        connected(module_database_url, requests=1, statement_timeout_seconds=30) as client,
        psycopg.connect(module_database_url) as holding,
    ):
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
            await asyncio.to_thread(wait_for_waiters, module_database_url)
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
    with (
        connected(module_database_url, requests=1, statement_timeout_seconds=30) as client,
        psycopg.connect(module_database_url) as holding,
    ):
        events = make_timeline(client)
        holding.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")

        async def run() -> httpx.Response:
            content = json.dumps(event_body()).encode() if method == "POST" else None
            working = asyncio.create_task(client._http.request(method, events, headers=headers, content=content))
            await asyncio.to_thread(wait_for_waiters, module_database_url)
            answer = await client._http.get("/v1/actors")
            await asyncio.to_thread(holding.rollback)
            assert (await working).is_success
            return answer

        is_problem(client.portal.call(run), 503, "busy")
