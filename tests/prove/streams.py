"""A thousand open streams in one process: what they take, and how soon a change is with all of them.

`python -m tests.prove.streams [STREAMS]` runs it on a throwaway PostgreSQL, prints the figures, and fails above 200 MB.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import psycopg

from tests.keys import ADMIN, bearer
from tests.live.service import Service, running
from tests.servers import throwaway_postgres

MOST_BYTES = 200_000_000
CHANGES = 20
READ_SECONDS = 60


class Reader:
    """One client that reads its stream, and counts the changes in it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read_changes(self, count: int) -> float:
        """Read so many changes; give the time at which the last one came."""
        while count:
            line = await self._reader.readline()
            assert line, "the stream has ended"
            count -= line.startswith(b"data: ")
        return time.monotonic()

    def close(self) -> None:
        self._writer.close()


async def open_stream(service: Service) -> Reader:
    """Open a stream, and read its head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port, limit=1_000_000)
    path = "/v1/timelines/watched/changes?after=latest"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode())
    status = await reader.readline()
    assert b" 200 " in status, status
    while not (await reader.readline()).startswith(b"retry: "):
        pass
    return Reader(reader, writer)


async def watch(service: Service, streams: int) -> bool:
    """Open the streams, write, and say what it took; tell whether it was little enough."""
    process = psutil.Process(service.process.pid)
    async with httpx.AsyncClient(base_url=service.base, headers=bearer(ADMIN), timeout=READ_SECONDS) as http:

        async def write(number: int) -> float:
            body = {"title": f"Change {number}", "summary": "x" * 1_000, "when": "2013-02", "status": "planned"}
            answer = await http.post("/v1/timelines/watched/events", json=body)
            assert answer.status_code == 201, answer.text
            return time.monotonic()

        await http.post("/v1/timelines", json={"slug": "watched", "title": "Watched"})
        await write(0)
        before = process.memory_info().rss
        began = time.monotonic()
        readers = []
        for first in range(0, streams, 50):
            opening = (open_stream(service) for _ in range(first, min(first + 50, streams)))
            readers += await asyncio.gather(*opening)
        opened = time.monotonic() - began
        idle = process.memory_info().rss
        delays = []
        for number in range(CHANGES):
            written = await write(number)
            arrivals = await asyncio.gather(*(one.read_changes(1) for one in readers))
            delays.append(max(arrivals) - written)
        worked = process.memory_info().rss
        for one in readers:
            one.close()
        began = time.monotonic()
        while "\ndateline_feed_open_streams 0.0\n" not in (await http.get("/metrics")).text:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.02)
        ended = time.monotonic() - began
    report = (
        f"{streams} streams opened in {opened:.1f} s\n"
        f"resident memory: {before / 1e6:.0f} MB before, {idle / 1e6:.0f} MB with all open"
        f" ({(idle - before) / streams / 1e3:.0f} kB a stream), {worked / 1e6:.0f} MB after {CHANGES} changes\n"
        f"a change is with the last of them after {statistics.median(delays) * 1e3:.0f} ms (median),"
        f" {max(delays) * 1e3:.0f} ms (longest), clients on the same machine\n"
        f"all ended {ended:.2f} s after their clients had left\n"
    )
    sys.stdout.write(report)
    return max(idle, worked) < MOST_BYTES


def main() -> int:
    """Run it."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with throwaway_postgres() as server, tempfile.TemporaryDirectory(prefix="dateline-prove-") as folder:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE watched")
        url = server.replace("@/postgres?", "@/watched?")
        with running(Path(folder), database_url=url, seed="false", workers=1) as service:
            is_little = asyncio.run(watch(service, streams))
    return 0 if is_little else 1


if __name__ == "__main__":
    sys.exit(main())
