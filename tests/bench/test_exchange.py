"""What the benchmark's client sends, and where it finds the end of an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from bench.client import ask
from bench.exchange import AnswerError, AnswerReader, Request, dump, load

PLAIN = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ncontent-encoding: zstd\r\n\r\n"
    b"5\r\nab\r\nc\r\n1;x=y\r\nd\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
)
UNCHANGED = b'HTTP/1.1 304 Not Modified\r\netag: "3"\r\n\r\n'
ANSWERS = {"a length": (200, PLAIN), "chunks": (200, CHUNKED), "no body": (304, UNCHANGED)}


@pytest.mark.parametrize(("status", "answer"), ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_an_answer_ends_at_its_last_byte_however_it_is_cut(status: int, answer: bytes, piece: int) -> None:
    reader = AnswerReader(status)
    for _ in range(3):  # of one connection
        pieces = [answer[start : start + piece] for start in range(0, len(answer), piece)]
        assert [reader.take(one) for one in pieces] == [False] * (len(pieces) - 1) + [True]


def test_an_answer_with_a_length_of_nothing_is_complete() -> None:
    assert AnswerReader(404).take(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (UNCHANGED, "200 was expected"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "how long"),
        (PLAIN + b"!", "more was answered"),
        (b"SSH-2.0\r\n\r\n", "200 was expected"),
    ],
)
def test_what_was_not_expected_is_said(answer: bytes, words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        AnswerReader().take(answer)


def test_requests_come_over_as_they_are() -> None:
    requests = [Request("/a?b=c"), Request("/d", {"If-None-Match": '"3"'}, "POST", '{"é": "\n"}')]
    assert load(dump(requests)) == requests


def test_a_request_is_spelt_with_its_headers_and_its_body() -> None:
    spelt = Request("/d", {"Accept": "text/plain", "X": "y"}, "POST", "é").spelt()
    assert spelt == (
        "POST /d HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain\r\nX: y\r\nContent-Length: 2\r\n\r\né".encode()
    )


@contextlib.asynccontextmanager
async def answering(answer: bytes, seen: list[bytes]) -> AsyncIterator[int]:
    """Answer every request with the same, on a port of its own."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for writer in writers:
                writer.close()
                await writer.wait_closed()


def test_the_client_asks_in_turn_over_each_connection() -> None:
    async def run() -> tuple[dict[str, float], list[bytes]]:
        seen: list[bytes] = []
        requests = [Request("/1", {"If-None-Match": '"3"'}), Request("/2")]
        async with answering(UNCHANGED, seen) as port:
            return await ask(requests, port, 0.05, 2, 304), seen

    figures, seen = asyncio.run(run())
    assert figures["answers"] == len(seen) >= 2
    assert figures["answer_bytes"] == len(UNCHANGED)
    assert 0 < figures["median_ms"] <= figures["p99_ms"]
    assert [request.split()[1] for request in seen[:2]] == [b"/1", b"/2"]
    assert b'If-None-Match: "3"' in seen[0]


def test_the_client_ends_at_an_answer_that_was_not_expected() -> None:
    async def run() -> None:
        async with answering(UNCHANGED, []) as port:
            await ask([Request("/")], port, 5, 1, 200)

    with pytest.raises(AnswerError, match="200 was expected"):
        asyncio.run(run())
