"""A client that asks as fast as it is answered, over some connections, in a process of its own.

`python -m bench.client PORT SECONDS CONNECTIONS STATUS` reads requests from standard input, one a line
(`bench.exchange.dump`), and asks for them in turn; an answer of another status ends it. It writes one line of JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import cast

import uvloop

from bench.exchange import AnswerError, AnswerReader, Request, load

_PATIENCE_SECONDS = 30


class Asker(asyncio.Protocol):
    """One connection: the next request goes out when the last one is answered."""

    def __init__(self, requests: Iterator[bytes], until: float, status: int) -> None:
        self._requests = requests
        self._until = until
        self._reader = AnswerReader(status)
        self._transport: asyncio.Transport | None = None
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
        try:
            is_complete = self._reader.take(data)
        except AnswerError as error:
            if not self.done.done():
                self.done.set_exception(error)
            self._close()
            return
        if is_complete:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so if it is not expected."""
        if not self.done.done():
            self.done.set_exception(ConnectionError(f"the connection was lost: {exc}"))

    def _answered(self) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self._asked_at)
        if now < self._until:
            self._ask()
        else:
            self.done.set_result(None)
            self._close()

    def _close(self) -> None:
        assert self._transport is not None  # noqa: S101  # called only when connected
        self._transport.close()

    def _ask(self) -> None:
        assert self._transport is not None  # noqa: S101  # called only when connected
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._requests))


async def ask(
    requests: Sequence[Request], port: int, seconds: float, connections: int, status: int
) -> dict[str, float]:
    """Ask for some seconds; answers how often and at which rate, the latencies, and the bytes of an answer."""
    spelt = itertools.cycle([one.spelt() for one in requests])
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    askers = [
        (await loop.create_connection(lambda: Asker(spelt, began + seconds, status), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(asker.done for asker in askers)), seconds + _PATIENCE_SECONDS)
    took = time.perf_counter() - began
    times = sorted(itertools.chain.from_iterable(asker.seconds for asker in askers))
    return {
        "answers": len(times),
        "per_second": len(times) / took,
        "median_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "answer_bytes": sum(asker.received_bytes for asker in askers) / len(times),
    }


def main() -> None:
    """Ask as the command line says."""
    port, seconds, connections, status = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    requests = load(sys.stdin.read())
    print(json.dumps(uvloop.run(ask(requests, port, seconds, connections, status))))


if __name__ == "__main__":
    main()
