"""A client that asks as fast as it is answered, over some connections, in a process of its own.

`python -m bench.client PORT SECONDS CONNECTIONS` reads paths from standard input, a line each, and asks for them in
turn; it writes one line of JSON. It reads no more of HTTP than the length of an answer, so that it costs little.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_PATIENCE_SECONDS = 30


class Asker(asyncio.Protocol):
    """One connection: the next request goes out when the last one is answered."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self._requests = requests
        self._until = until
        self._transport: asyncio.Transport | None = None
        self._missing = -1  # bytes of the body that are to come; -1 while the head is not complete
        self._head = b""
        self._asked_at = 0.0
        self.seconds: list[float] = []
        self.received_bytes = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        self._transport = cast("asyncio.Transport", transport)  # of a TCP connection it is
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self.received_bytes += len(data)
        if self._missing < 0:
            self._head += data
            end = self._head.find(_END)
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end + 2)
            if length is None or not self._head.startswith(b"HTTP/1.1 200"):
                self._fail(f"an answer that was not expected: {self._head[:300]!r}")
                return
            self._missing = int(length[1]) - (len(self._head) - end - len(_END))
            self._head = b""
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so if it is not expected."""
        if not self.done.done():
            self.done.set_exception(ConnectionError(f"the connection was lost: {exc}"))

    def _answered(self) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self._asked_at)
        self._missing = -1
        if now < self._until:
            self._ask()
        else:
            self.done.set_result(None)

    def _ask(self) -> None:
        assert self._transport is not None  # noqa: S101  # called only when connected
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def _fail(self, reason: str) -> None:
        self.done.set_exception(RuntimeError(reason))


async def ask(paths: list[str], port: int, seconds: float, connections: int) -> dict[str, float]:
    """Ask for some seconds; answers the rate, the latencies in milliseconds and the bytes of an answer."""
    requests = itertools.cycle(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode() for path in paths
    )
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    askers = [
        (await loop.create_connection(lambda: Asker(requests, began + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(asker.done for asker in askers)), seconds + _PATIENCE_SECONDS)
    took = time.perf_counter() - began
    times = sorted(itertools.chain.from_iterable(asker.seconds for asker in askers))
    return {
        "per_second": len(times) / took,
        "median_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "answer_bytes": sum(asker.received_bytes for asker in askers) / len(times),
    }


def main() -> None:
    """Ask as the command line says."""
    port, seconds, connections = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    paths = sys.stdin.read().split()
    print(json.dumps(uvloop.run(ask(paths, port, seconds, connections))))


if __name__ == "__main__":
    main()
