"""The limits of a request: each at its edge, its body told beforehand or in pieces, and refused by its problem."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.limits import check_shape
from service.errors import Invalid
from tests.api.test_problems import is_problem
from tests.client import Client, connected
from tests.factories import event_body, make_event, make_timeline, path_of

JSON = {"Content-Type": "application/json"}
LOCK = "LOCK TABLE event IN ACCESS EXCLUSIVE MODE"

# How a body is sent: whole, with its length, or chunk by chunk, without.
Sent = Callable[[bytes], bytes | AsyncIterator[bytes]]


async def _in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


@pytest.fixture(params=["content-length", "chunked"])
def sent(request: pytest.FixtureRequest) -> Sent:
    """Answer how a body is sent."""
    return bytes if request.param == "content-length" else _in_pieces


@pytest.fixture(scope="module")
def narrow(module_database_url: str) -> Iterator[Client]:
    """Answer a client of a service with all of these limits set otherwise than they are by default."""
    limits: dict[str, Any] = {
        "body_bytes": 4000,
        "query_bytes": 400,
        "json_depth": 9,
        "array_items": 150,
        "page_items": 60,
    }
    with connected(module_database_url, **limits) as client:
        yield client


@contextmanager
def held(url: str) -> Iterator[Callable[[int], None]]:
    """Have every read and write of events wait until the block ends; what is given waits until so many do."""
    with psycopg.connect(url) as connection:
        connection.execute(LOCK)

        def wait_for(many: int) -> None:
            deadline = time.monotonic() + 4
            while len(connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall()) < many:
                assert time.monotonic() < deadline
                time.sleep(0.01)

        yield wait_for


def is_told_to_come_again(answer: httpx.Response, name: str) -> bool:
    """See a 503 that says when to try again."""
    is_problem(answer, 503, name)
    return int(answer.headers["retry-after"]) > 0


def nested(depth: int) -> bytes:
    """Make an event's body of this depth, with what is no member of it."""
    return b'{"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


# What is sent


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_body_has_at_most_so_many_bytes(narrow: Client, sent: Sent, method: str) -> None:
    events = make_timeline(narrow)
    path = events if method == "POST" else path_of(make_event(narrow, events))
    body = json.dumps(event_body(title="New")).encode()
    headers = JSON | ({} if method == "POST" else {"If-Match": "*"})
    for size in (4001, 400_000):
        answer = narrow.send(method, path, content=sent(body.ljust(size)), headers=headers)
        assert is_problem(answer, 413, "too-large")["detail"] == "a body has at most 4000 bytes"
    assert "New" not in narrow.titles(events)
    assert narrow.send(method, path, content=sent(body.ljust(4000)), headers=headers).is_success
    assert "New" in narrow.titles(events)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_arrays_and_objects_stand_only_so_deep(narrow: Client, sent: Sent, opening: bytes) -> None:
    events = make_timeline(narrow)
    closing = b"]" if opening == b"[" else b"}"

    def refused(depth: int) -> str:
        inner = opening * (depth - 1) + b'"["' + closing * (depth - 1)
        answer = narrow.send("POST", events, content=sent(b'{"x":%b}' % inner), headers=JSON)
        detail = is_problem(answer, 422, "invalid-body")["detail"]
        assert isinstance(detail, str)
        return detail

    assert "more than 9 deep" in refused(10)
    assert "more than 9 deep" in refused(500)
    assert "deep" not in refused(9), "it is refused for what it is"


def test_an_array_has_at_most_so_many_items(narrow: Client, sent: Sent) -> None:
    events = make_timeline(narrow)

    def refused(items: int) -> dict[str, Any]:
        content = b'{"x":[%b]}' % b",".join([b'{"a":[1,2]}'] * items)
        answer = narrow.send("POST", events, content=sent(content), headers=JSON)
        return is_problem(answer, 422, "invalid-body")

    assert refused(151)["errors"] == [{"pointer": "", "detail": "has an array of more than 150 items"}]
    assert [error["pointer"] for error in refused(150)["errors"]][:1] != [""]


def test_by_default_a_body_may_be_what_the_contract_says(api: Client, sent: Sent) -> None:
    events = make_timeline(api)
    for content, word in ((nested(33), "32 deep"), (b'{"x":[%b]}' % (b"1," * 10_000 + b"1"), "10000 items")):
        answer = api.send("POST", events, content=sent(content), headers=JSON)
        assert word in is_problem(answer, 422, "invalid-body")["detail"]
    answer = api.send("POST", events, content=sent(b" " * (1024 * 1024 + 1)), headers=JSON)
    assert is_problem(answer, 413, "too-large")["detail"] == "a body has at most 1048576 bytes"


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _longest(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return max([len(inner) if isinstance(value, list) else 0, *map(_longest, inner)])


_TEXTS = st.text('[]{},"\\:aé', max_size=6)
_VALUES = st.recursive(
    st.none() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=25,
)


@settings(max_examples=300)
@given(value=_VALUES, depth=st.integers(1, 6), items=st.integers(1, 5), indent=st.sampled_from([None, 1]))
def test_what_is_refused_is_what_a_reader_would_count(
    value: object, depth: int, items: int, indent: int | None
) -> None:
    content = json.dumps(value, indent=indent).encode()
    try:
        check_shape(content, depth=depth, items=items)
    except Invalid:
        is_refused = True
    else:
        is_refused = False
    assert is_refused == (_depth(value) > depth or _longest(value) > items)


@pytest.mark.parametrize(
    "piece",
    [
        b"[" * 32 + b"]" * 32,
        b"[",
        b"]",
        b"{",
        b"[]",
        b"[],",
        b"[[],[]],",
        b'"',
        b'"\\',
        b'\\"',
        b"[,",
        b"},{",
        b",",
        b"[{},",
    ],
)
def test_no_shape_takes_long_to_be_looked_at(piece: bytes) -> None:
    content = piece * (1024 * 1024 // len(piece))
    began = time.process_time()
    with suppress(Invalid):
        check_shape(content, depth=32, items=10_000_000)
    assert time.process_time() - began < 1.5


def test_a_query_string_has_at_most_so_many_bytes(narrow: Client) -> None:
    base = len(urlencode({"q": ""}))
    for path in ("/v1/events", "/v1/nothing", "/v1/dates", "/docs", "/health/live"):
        problem = is_problem(narrow.get(path, q="a" * (401 - base)), 414, "query-too-long")
        assert problem["detail"] == "a query string has at most 400 bytes"
    assert narrow.get("/v1/events", q="a" * (400 - base)).status_code == 200
    head = narrow.send("HEAD", "/v1/events", params={"q": "a" * 1000})
    assert (head.status_code, head.content) == (414, b"")


@pytest.mark.parametrize("limit", ["61", "+61", " 61", "200"])
def test_a_page_has_at_most_so_many_items(narrow: Client, limit: str) -> None:
    events = make_timeline(narrow)
    for path in (events, "/v1/events", "/v1/actors", events.replace("/events", "/changes")):
        problem = is_problem(narrow.get(path, limit=limit), 400, "invalid-parameter")
        assert problem["errors"] == [{"parameter": "limit", "detail": "must be at most 60"}]
        assert narrow.get(path, limit=60).status_code == 200


def test_what_is_set_is_published(narrow: Client) -> None:
    document = narrow.read("/openapi.json")
    parameters = [
        parameter["schema"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "limit"
    ]
    assert len(parameters) > 5
    assert {schema["maximum"] for schema in parameters} == {60}
    for words in ("400 bytes", "4,000 bytes", "9 deep", "150 items", "30 s."):
        assert words in document["info"]["description"]


def test_whoever_leaves_before_the_body_is_whole_leaves_no_fault(api: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Said to nobody; what counts is that it is no fault of ours."""
    messages: Iterator[MutableMapping[str, Any]] = iter(
        [{"type": "http.request", "body": b'{"title"', "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> MutableMapping[str, Any]:
        return next(messages)

    answered: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        answered.append(message)

    scope = _scope("POST", make_timeline(api), [(b"content-type", b"application/json")])
    with caplog.at_level(logging.ERROR):
        api.portal.call(api.app, scope, receive, send)
    assert answered[0]["status"] == 400
    assert caplog.records == []


# How long, and how many at once


def _scope(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
    }


@pytest.fixture
def hasty(module_database_url: str) -> Iterator[Client]:
    """Answer a client of a service that gives a request two seconds, with a single connection."""
    with connected(module_database_url, request_timeout_seconds=2, pool_size=1, stream_heartbeat_seconds=0.5) as one:
        yield one


def test_a_body_that_does_not_come_takes_no_longer(hasty: Client) -> None:
    events = make_timeline(hasty)

    async def drops() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.1)

    began = time.monotonic()
    assert is_told_to_come_again(hasty.send("POST", events, content=drops(), headers=JSON), "too-slow")
    assert time.monotonic() - began < 5


def test_an_event_stream_that_has_begun_goes_on(hasty: Client) -> None:
    changes = make_timeline(hasty).replace("/events", "/changes")
    began = time.monotonic()
    heard = hasty.listen(changes, 6)
    assert heard.status_code == 200
    assert time.monotonic() - began > 2.3, "longer than a request may wait"


def test_an_export_that_has_begun_goes_on(hasty: Client) -> None:
    events = make_timeline(hasty)
    for n in range(3):
        make_event(hasty, events, title=str(n))
    got: list[bytes] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        await asyncio.sleep(1.3)
        got.append(message.get("body", b""))

    scope = _scope("GET", events, [(b"accept", b"application/x-ndjson")])
    began = time.monotonic()
    hasty.portal.call(hasty.app, scope, receive, send)
    assert len(b"".join(got).splitlines()) == 3
    assert time.monotonic() - began > 2.5


def test_so_many_requests_wait_and_no_more(module_database_url: str) -> None:
    with (
        connected(module_database_url, requests=2, stream_heartbeat_seconds=0.1) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        events = make_timeline(client)
        streaming = pool.submit(client.listen, events.replace("/events", "/changes"), 40)
        while "\ndateline_feed_open_streams 1.0\n" not in client.get("/metrics").text:
            assert not streaming.done()
            time.sleep(0.01)
        with held(module_database_url) as wait_for:
            waiting = [pool.submit(client.get, events) for _ in range(2)]
            wait_for(2)
            for answer in (client.get("/v1/actors"), client.post(events, event_body()), client.get("/v1/nothing")):
                assert is_told_to_come_again(answer, "busy")
            # who watches over the service is answered
            for path in ("/health/live", "/health/ready", "/metrics"):
                assert client.get(path).status_code == 200
            assert not any(one.done() for one in waiting)
            assert not streaming.done(), "what has begun is none of them"
        assert [one.result().status_code for one in waiting] == [200, 200]
        assert client.get(events).status_code == 200
        assert streaming.result().status_code == 200


def test_whatever_becomes_of_a_request_its_room_is_given_back(module_database_url: str) -> None:
    with connected(module_database_url, requests=1, request_timeout_seconds=2) as client:
        events = make_timeline(client)
        for _ in range(2):
            with held(module_database_url):
                assert is_told_to_come_again(client.get(events), "too-slow")
            assert client.get("/v1/nothing").status_code == 404
            assert client.post(events, {"titel": 1}).status_code == 422
            assert client.get(events).status_code == 200
