"""`python -m bench.capacity`: what each operation costs, and what machines of 2, 16 and 64 cores carry by that.

Each operation is done for some seconds over some connections. Counted are the processor time of the server's processes
and of PostgreSQL's, the write-ahead log, and the bytes sent: what the client needs is not in them, and on another
machine. What a machine carries is arithmetic from these: cores x share of them in use / processor time of an operation.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import NamedTuple

import psycopg

from bench.contestants import Served, dateline
from bench.events import TIMELINE, made_up_events
from bench.known import make_comparisons
from bench.sample import make_tasks
from bench.server import ask_for_database, asked_database
from bench.usage import database_process, processor_seconds
from service import keyring
from service.wire.document import body_of
from service.wire.key import KeyBody

CORES = (2, 16, 64)
IN_USE = 0.6  # the share of the cores that may be busy at the busiest time, so that nobody waits long
CONNECTIONS = 4
_BASE = f"/v1/timelines/{TIMELINE}"
_BATCH = 100
_IMPORT = 1_000


class Request(NamedTuple):
    """A request of HTTP, and the status of its answer."""

    method: str
    path: str
    status: int = 200
    body: bytes | None = None
    media_type: str = "application/json"
    accept: str = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done, over and over; an answer stands for so many `units`, of which the cost is told."""

    name: str
    requests: Callable[[], Iterator[Request]]
    units: int = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What one unit of an operation costs: seconds of processors, and bytes."""

    name: str
    server_seconds: float
    database_seconds: float
    wal_bytes: float
    sent_bytes: float

    def rate(self, cores: int) -> float:
        """Say how many a second a machine carries that server and database share."""
        return cores * IN_USE / (self.server_seconds + self.database_seconds)


def main() -> None:
    """Measure as the command line says, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    ask_for_database(parser, 100_000)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to do each operation (4)")
    asked = parser.parse_args()
    with ExitStack() as stack:
        url = asked_database(stack, asked)
        size, events, states = _size(url)
        _, key = keyring.create(url, KeyBody(name="capacity", scopes=["read", "write"]))
        served = stack.enter_context(dateline(url))
        costs = [measure(one, served, url, key, asked.seconds) for one in operations(url)]
    _report(costs, size, events, states)


def operations(url: str) -> Iterator[Operation]:
    """Yield what is measured: reads, writes, and reading what was written."""
    tasks = {task.name: task.paths for task in make_tasks(url)}
    known = {one.name: one for one in make_comparisons(url)}
    yield _reading("an event", tasks["one event"])
    yield _reading("a page of 50, a month", tasks["page of 50, a month"])
    yield _reading("a page of 50, a rare actor", known["everything, rare actor"].present)
    yield _reading("a page of 50, as known then", known["a month"].past)
    yield _reading("a histogram by month, ten years", [f"{_BASE}/histogram?by=month&datetime=2005/2014"])
    yield Operation("an event created", lambda: (_post(body) for body in _bodies(0)))
    yield Operation("an event amended", lambda: _amending(tasks["one event"]))
    yield Operation("an event created, 100 in a batch", lambda: _batches(1), _BATCH)
    yield Operation("an event imported", lambda: _imports(2), _IMPORT)
    yield _reading("a page of 50 changes", [f"{_BASE}/changes?limit=50"])  # those just written


def measure(operation: Operation, served: Served, url: str, key: str, seconds: float) -> Cost:
    """Do it for a while, after a short while that does not count."""
    requests, guard = operation.requests(), threading.Lock()
    _do(requests, guard, served.port, key, min(1.0, seconds))
    database = database_process(url)
    if database is None:
        raise RuntimeError("the database must run on this machine, for its processor time to be counted")
    with psycopg.connect(url, autocommit=True) as connection:
        before = _counters(connection, served, database)
        done, sent = _do(requests, guard, served.port, key, seconds)
        _wait_for_others(connection)
        after = _counters(connection, served, database)
    units = done * operation.units
    server_seconds, database_seconds, wal = (now - then for now, then in zip(after, before, strict=True))
    cost = Cost(operation.name, server_seconds / units, database_seconds / units, wal / units, sent / units)
    print(f"{operation.name}: {done} answers", flush=True)
    return cost


def _reading(name: str, paths: Sequence[str]) -> Operation:
    return Operation(name, lambda: (Request("GET", path) for path in itertools.cycle(paths)))


def _bodies(seed: int) -> Iterator[bytes]:
    """Make up events without end, others than were loaded."""
    for number in itertools.count(1_000 * (seed + 1)):
        for one in made_up_events(TIMELINE, number, 1_000):
            yield body_of(one).model_dump_json(exclude_none=True).encode()


def _post(body: bytes) -> Request:
    return Request("POST", f"{_BASE}/events", 201, body)


def _amending(paths: Sequence[str]) -> Iterator[Request]:
    for number, path in enumerate(itertools.cycle(paths)):
        yield Request("PATCH", path, 200, b'{"summary": "What was said of it, number %d."}' % number)


def _batches(seed: int) -> Iterator[Request]:
    bodies = _bodies(seed)
    while True:
        some = b",".join(b'{"operation":"create","body":%b}' % body for body in itertools.islice(bodies, _BATCH))
        yield Request("POST", f"{_BASE}/events:batch", 200, b'{"operations":[%b]}' % some)


def _imports(seed: int) -> Iterator[Request]:
    bodies = _bodies(seed)
    while True:
        lines = b"\n".join(itertools.islice(bodies, _IMPORT))
        yield Request("POST", f"{_BASE}/import", 200, lines, "application/x-ndjson")


def _do(requests: Iterator[Request], guard: threading.Lock, port: int, key: str, seconds: float) -> tuple[int, int]:
    """Ask over some connections until the time is over; answers how many answers came, and their bytes."""
    until = time.monotonic() + seconds

    def ask() -> tuple[int, int]:
        done = sent = 0
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            while time.monotonic() < until:
                with guard:
                    request = next(requests)
                sent += _send(connection, request, key)
                done += 1
        return done, sent

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        results = [one.result() for one in [pool.submit(ask) for _ in range(CONNECTIONS)]]
    return sum(done for done, _ in results), sum(sent for _, sent in results)


def _send(connection: http.client.HTTPConnection, request: Request, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}", "Accept": request.accept}
    if request.body is not None:
        headers["Content-Type"] = request.media_type
    if request.method == "PATCH":
        headers |= {"Content-Type": "application/merge-patch+json", "If-Match": "*"}
    connection.request(request.method, request.path, request.body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != request.status:
        raise RuntimeError(f"{request.method} {request.path} answered {answer.status}: {content[:500]!r}")
    return len(content)


def _counters(connection: psycopg.Connection, served: Served, database: int) -> tuple[float, float, float]:
    """Read the processor seconds of the server and of the database, and the bytes of the log so far."""
    row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
    assert row is not None  # noqa: S101  # one row, always
    return processor_seconds(served.pid), processor_seconds(database), float(row[0])


def _wait_for_others(connection: psycopg.Connection) -> None:
    """Have what was written reach the disk, so that it is counted with the writes that it is of."""
    connection.execute("CHECKPOINT")


def _size(url: str) -> tuple[int, int, int]:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT pg_database_size(current_database()),"
            " (SELECT count(*) FROM event), (SELECT count(*) FROM event_state)"
        ).fetchone()
    assert row is not None  # noqa: S101  # one row, always
    return int(row[0]), int(row[1]), int(row[2])


def _report(costs: Sequence[Cost], size: int, events: int, states: int) -> None:
    print(
        f"\n{events:,} events with {states:,} states take {size / 1e6:,.0f} MB: {size / states:,.0f} bytes a state.\n"
    )
    rates = " | ".join(f"{cores} cores" for cores in CORES)
    print(f"| one | server | database | log | sent | {rates} |")
    print(f"|---|{'---:|' * (4 + len(CORES))}")
    for cost in costs:
        numbers = " | ".join(f"{_rounded(cost.rate(cores)):,}/s" for cores in CORES)
        print(
            f"| {cost.name} | {cost.server_seconds * 1e6:,.0f} µs | {cost.database_seconds * 1e6:,.0f} µs "
            f"| {cost.wal_bytes / 1000:,.1f} kB | {cost.sent_bytes / 1000:,.1f} kB | {numbers} |"
        )


def _rounded(rate: float) -> int:
    """Two figures are as many as are true."""
    number = round(rate)
    return int(float(f"{number:.2g}"))


if __name__ == "__main__":
    main()
