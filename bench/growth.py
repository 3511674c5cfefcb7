"""Measure what grows with a timeline: `python -m bench.growth`, by default a million events grown to ten millions.

Events are loaded, and a copy of that database is made ten times as dense on the same axis of time. Then every
question is asked of both in turns, as the service asks it: what it takes is the processor's time of the server process
that answers, the median of some runs on warm data, which other work on the machine blurs little; beside it stand the
blocks that PostgreSQL touched. What an index can answer takes as long in the large as in the small, give or take three
tenths; of what takes longer the table says why. Histograms have a limit of their own, by the clock.

With `--histories` each event has five states, and what was known is asked for, too. That takes five times the room:
some 22 kB an event instead of 4.6.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import NamedTuple

import psycopg

from bench.asked import PAGE_EVENTS, Asked, asked_of, middle_moment
from bench.blocks import Watched
from bench.cloning import forgo_durability, multiply
from bench.loading import load
from service.embedded import EmbeddedPostgres
from service.store.database import Database
from service.store.migration import migrate
from service.store.statement import Connection

# So many are made up, one by one; more than these are cloned.
MADE_UP = 200_000
MOST_TIMES = 1.3
# Enough that a prepared statement has come to its generic plan, if it takes one.
WARMING = 11
# What no index answers for a page's worth of work, by a part of the question's name, and why.
_LONG = "of what is long and began before the window, much is passed over in the index"
_UNORDERED = "an index of words has no order: all that match are looked at"
_BOTH = "one filter's events are looked through until a page has what all leave"
GROWS = {
    ": exact": "each is counted, and what would take too long is estimated",
    "by relevance": "all that match are ranked",
    "all timelines, rare word, as known then": "the words of the past are sought by index in one timeline alone",
    "newest record": "no index has the records of each filter, window or past moment in order",
    **dict.fromkeys(("rare word", "less common word", "uncommon word"), _UNORDERED),
    "month, possible": _LONG,
    "month, certain": _LONG,
    "a day, date": _LONG,
    "a month, date": _LONG,
    "ten years, date": _LONG,
    "common status, a month": _LONG,
    "overdue": "what had not ended by then is skipped",
    "five statuses": "what may run then is looked through for each",
    "common word, common actor": _BOTH,
    "status, common kind": _BOTH,
    "common actor, common place": _BOTH,
    "rare actor, rare topic": _BOTH,
    "topic, actor": _BOTH,
}
# Nothing is lost that is not made again, and other programs want memory, too.
SERVER = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal",
    "max_wal_senders": "0", "max_wal_size": "3GB", "shared_buffers": "1GB", "autovacuum": "off",
}  # fmt: skip


class Measured(NamedTuple):
    """What a question took of one database, by the clock and of the processor, and what it answered."""

    ms: float
    busy_ms: float
    blocks: int
    found: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Load, grow, measure, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="how many events the small one has (1,000,000)")
    parser.add_argument("--times", type=int, default=10, help="how many times as many the large one has (10)")
    parser.add_argument("--histories", action="store_true", help="have five states of each event, and ask for the past")
    parser.add_argument("--runs", type=int, default=31, help="how often each is asked (31)")
    parser.add_argument("--seconds", type=float, default=4.0, help="after so many a question is not repeated (4)")
    parser.add_argument("--only", default="", help="ask only those whose name has this in it")
    parser.add_argument("--databases", nargs=2, metavar="URL", help="a small and a large one that this has made before")
    chosen = parser.parse_args(arguments)
    with ExitStack() as stack:
        urls = chosen.databases or _loaded(stack, chosen.events, chosen.times, histories=chosen.histories)
        _tell_sizes(urls)
        asyncio.run(_measure(urls, chosen.only, chosen.runs, chosen.seconds))


def _loaded(stack: ExitStack, events: int, times: int, *, histories: bool) -> list[str]:
    """Start a PostgreSQL of our own with both databases; it ends with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dateline-growth-")))
    url = stack.enter_context(EmbeddedPostgres(folder, options=SERVER))
    migrate(url)
    forgo_durability(url)
    # no more than there are to be, and a whole part of them
    first = max(1, -(-events // MADE_UP))
    print(f"loaded in {load(url, events // first, histories=histories):.0f} s", flush=True)
    if first > 1:
        print(f"grown {first} times in {multiply(url, first):.0f} s", flush=True)
    large = _copy(url)
    print(f"grown {times} times in {multiply(large, times):.0f} s\n", flush=True)
    return [url, large]


def _copy(url: str) -> str:
    """Copy a database on its server, and answer the URL of the copy."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, dbname="template1", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE grown TEMPLATE {name} STRATEGY FILE_COPY".encode())
    return url.replace(f"@/{name}?", "@/grown?")


def _tell_sizes(urls: Sequence[str]) -> None:
    for url in urls:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM event_state),"
                " pg_database_size(current_database()) / 1e9, current_setting('server_version'),"
                " current_setting('shared_buffers')"
            ).fetchone()
            assert row is not None  # noqa: S101  # no table is needed for one
            print("{:,} events, {:,} states, {:.1f} GB; PostgreSQL {}, shared_buffers {}".format(*row))


async def _measure(urls: Sequence[str], only: str, runs: int, seconds: float) -> None:
    print("\n| question | ms | ms of the large | times | blocks | of the large | |\n|---|---|---|---|---|---|---|")
    moment = middle_moment(urls[0])
    asked = [asked_of(url, moment) for url in urls]
    async with AsyncExitStack() as stack:
        connections, watched = [], []
        for url in urls:
            database = Database(url, pool_size=1, statement_timeout_seconds=600)
            await database.open()
            stack.push_async_callback(database.close)
            connections.append(await stack.enter_async_context(database.read()))
            watched.append(await stack.enter_async_context(Watched(url)))
        for both in zip(*asked, strict=True):
            if only in both[0].name:
                blocks = [await one.count_blocks(question.ask) for one, question in zip(watched, both, strict=True)]
                print(_row(both[0], await _take_turns(both, connections, blocks, runs, seconds)), flush=True)


async def _take_turns(
    both: Sequence[Asked], connections: Sequence[Connection], blocks: Sequence[int], runs: int, seconds: float
) -> list[Measured]:
    """Ask each of its database in turns."""
    clock: list[list[float]] = [[] for _ in both]
    busy: list[list[float]] = [[] for _ in both]
    found = [0 for _ in both]
    until = time.perf_counter() + seconds
    for number in range(runs + WARMING):
        for each, (question, connection) in enumerate(zip(both, connections, strict=True)):
            began, worked = time.perf_counter(), _busy_seconds(connection)
            found[each] = await question.ask(connection)
            busy[each].append((_busy_seconds(connection) - worked) * 1000)
            clock[each].append((time.perf_counter() - began) * 1000)
        if number >= 2 and time.perf_counter() > until:
            break
    warm = WARMING if len(clock[0]) > WARMING else 1
    medians = [[statistics.median(one[warm:]) for one in times] for times in (clock, busy)]
    return [Measured(*one) for one in zip(*medians, blocks, found, strict=True)]


def _busy_seconds(connection: Connection) -> float:
    """Read for how long a connection's server process has been at work; the clock where the system does not say."""
    try:
        told = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text(encoding="ascii")
    except OSError:
        return time.perf_counter()
    return int(told.split()[0]) / 1e9


def _row(question: Asked, measured: Sequence[Measured]) -> str:
    small, large = measured
    by_clock = question.most_ms is not None
    taken = [one.ms if by_clock else one.busy_ms for one in measured]
    times = taken[1] / taken[0]
    cells = [question.name, *(f"{one:.2f}" for one in taken), f"{times:.2f}", f"{small.blocks:,}", f"{large.blocks:,}"]
    return f"| {' | '.join(cells)} | {_verdict(question, small, large, times)} |"


def _verdict(question: Asked, small: Measured, large: Measured, times: float) -> str:
    if question.most_ms is not None:
        return f"at most {question.most_ms:.0f} ms" + ("" if large.ms <= question.most_ms else ": **too slow**")
    if times <= MOST_TIMES:
        return ""
    if small.found < min(PAGE_EVENTS, large.found):
        return f"gives {large.found:,}, of the small {small.found:,}"
    why = next((reason for name, reason in GROWS.items() if name in question.name), None)
    return f"grows: {why}" if why else "**grows**"


if __name__ == "__main__":
    main()
