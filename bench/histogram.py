"""Measure histograms and what they cost: `python -m bench.histogram`, by default on a million events.

Whole timelines are read from the summary, all else from the events that are meant: each question as the service asks
it, milliseconds, the least of some runs. Then what the summary costs: a write with and without it, folding, checking.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from sqlalchemy import insert

from bench.events import RARE_WORD, TIMELINE
from bench.questions import ALL, COMMON, RARE, asks_for
from bench.server import ask_for_database, asked_database
from service.dates import Unit, parse_window
from service.recounting import check_histograms
from service.store import record
from service.store.database import Database
from service.store.events import create_event
from service.store.histogram import MOST_BUCKETS, read_histogram
from service.store.histogram_upkeep import fold, mend
from service.store.query import EventQuery, owner, timeline_id_of
from service.store.statement import Connection, Statement, compiled
from service.tables import event
from service.wire.event import EventBody

CALLER = owner("test")
RUNS = 5
WRITES = 400
# Some changes wait to be folded, as at any time on a busy timeline.
WAITING = 500
_WRITTEN = EventBody(title="A write", when="2013-02-25", status="occurred")


def questions() -> Iterator[tuple[str, EventQuery, Unit]]:
    """Yield what is asked, what to call it, and in which unit."""
    for unit, window in (
        (Unit.DAY, "2005/2014"), (Unit.WEEK, "1950/2030"), (Unit.MONTH, "1700/.."), (Unit.QUARTER, "1000/.."),
        (Unit.YEAR, "0000/.."), (Unit.DECADE, None), (Unit.CENTURY, None),
    ):  # fmt: skip
        yield f"all, {window or 'everything'}", replace(ALL, window=parse_window(window) if window else None), unit
    recent = replace(ALL, window=parse_window("2005/2014"))
    for rarity, values in (("rare", RARE), ("common", COMMON)):
        for name, value in values.items():
            yield f"{rarity} {name}, everything", asks_for(ALL, **{name: value}), Unit.CENTURY
            yield f"{rarity} {name}, ten years", asks_for(recent, **{name: value}), Unit.MONTH
    yield "common actor, common place", asks_for(ALL, actor=COMMON["actor"], place=COMMON["place"]), Unit.CENTURY
    yield "rare word", replace(ALL, text=RARE_WORD), Unit.DECADE
    yield "overdue, ten years", replace(recent, overdue=True), Unit.MONTH
    yield "disputed", replace(ALL, disputed=True), Unit.CENTURY
    yield "undisputed, a month", replace(ALL, disputed=False, window=parse_window("2013-02")), Unit.DAY


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.histogram", description=__doc__)
    ask_for_database(parser, 1_000_000)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        url = asked_database(stack, arguments)
        asyncio.run(_measure(url))
        began = time.perf_counter()
        faults = sum(check_histograms(url).values())
        print(f"\nChecked against all events in {time.perf_counter() - began:.1f} s: {faults} wrong buckets.")


async def _measure(url: str) -> None:
    database = Database(url, pool_size=2, statement_timeout_seconds=120)
    await database.open()
    try:
        await _writes(database)
        print("\n| question | by | buckets | ms | ms to sum up |\n|---|---|---|---|---|")
        async with database.read() as connection:
            for name, query, unit in questions():
                print(f"| {name} | {unit} | {await _asked(connection, query, unit)} |", flush=True)
        async with database.transaction() as connection:
            began = time.perf_counter()
            await fold(connection, timeline_id_of(TIMELINE))
            print(f"\nFolded what was waiting in {(time.perf_counter() - began) * 1000:.0f} ms.")
    finally:
        await database.close()


async def _asked(connection: Connection, query: EventQuery, unit: Unit) -> str:
    least = summing = float("inf")
    for _ in range(RUNS):
        began = time.perf_counter()
        found = await read_histogram(connection, query, CALLER, unit)
        least = min(least, time.perf_counter() - began)
        began = time.perf_counter()
        buckets = list(found) if len(found) <= MOST_BUCKETS else []
        summing = min(summing, time.perf_counter() - began)
    many = len(buckets) if len(found) <= MOST_BUCKETS else "too many"
    return f"{many} | {least * 1000:.1f} | {summing * 1000:.1f}"


async def _writes(database: Database) -> None:
    """Compare writes that are counted with writes that are not, in turns, so that other work falls on both."""
    counted = record._INSERT  # noqa: SLF001  # the one statement in which the two differ
    plain = compiled(insert(event).values(record._EVENT_VALUES))  # noqa: SLF001
    taken: list[tuple[Statement, list[float]]] = [(counted, []), (plain, [])]
    for _ in range(WRITES):
        for statement, times in taken:
            times.append(await _written(database, statement))
    medians = [statistics.median(times[WRITES // 10 :]) * 1000 for _, times in taken]
    print(f"A write takes {medians[0]:.2f} ms, uncounted {medians[1]:.2f} ms: {medians[0] / medians[1]:.3f} times.")
    began = time.perf_counter()
    async with database.transaction() as connection:
        mended = await mend(connection, TIMELINE)
    print(f"Rebuilt in {time.perf_counter() - began:.1f} s: what was not counted had left {mended} buckets wrong.")
    for _ in range(WAITING):
        await _written(database, counted)


async def _written(database: Database, statement: Statement) -> float:
    record._INSERT = statement  # noqa: SLF001
    began = time.perf_counter()
    async with database.transaction() as connection:
        await create_event(connection, TIMELINE, _WRITTEN, CALLER)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
