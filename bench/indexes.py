"""Measure what the indexes save and cost: `python -m bench.indexes`, by default on a million events.

First the contest: what runs when a window opens, and the page that follows, asked of each kind of index alone, on
a table of the events' keys. Then every question of `bench.questions`, as the service runs it, with the buffers
that its last statement touched; and the size of every index.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from bench.events import TIMELINE
from bench.questions import Question, questions
from bench.server import ask_for_database, asked_database
from service.store.counting import Count, count_events
from service.store.database import Database
from service.store.paging import read_page
from service.store.query import owner, timeline_id_of
from service.tables import REACH_DAYS, REACHES

CALLER = owner("test")
RUNS = 9
INSERTED = 20_000
DAYS = {"recent": "2013-02-10", "of old": "0800-06-01"}

_KEYS = """
CREATE TABLE contest AS SELECT timeline_id, event_id, status, reach, start_earliest, end_latest, possible FROM event
"""
# What is asked of a range index: gather what runs at an instant, sort, and take the first.
_GATHERED = """
SELECT event_id FROM contest WHERE timeline_id = '{timeline}' AND possible @> timestamptz '{day}'
 AND start_earliest < '{day}' {status} ORDER BY start_earliest, event_id LIMIT 51
"""
# And of the B-tree: a walk for each reach, from the earliest start that could still run.
_WALKED = """
SELECT event_id FROM ({walks}) walks ORDER BY start_earliest, event_id LIMIT 51
"""
_WALK = """
(SELECT event_id, start_earliest FROM contest WHERE timeline_id = '{timeline}' {status} AND reach = {reach}
 AND start_earliest >= {floor} AND start_earliest < '{day}' AND end_latest > '{day}'
 ORDER BY start_earliest, event_id LIMIT 51)
"""
CONTEST = {
    "none": ("", ""),
    "GiST (timeline, range)": ("USING gist (timeline_id, possible)", _GATHERED),
    "GiST (timeline, status, range)": ("USING gist (timeline_id, status, possible)", _GATHERED),
    "SP-GiST (range)": ("USING spgist (possible)", _GATHERED),
    "B-tree (timeline, reach, start, id, end)": (
        "(timeline_id, reach, start_earliest, event_id, end_latest)", _WALKED,
    ),
    "B-tree (timeline, status, reach, start, id, end)": (
        "(timeline_id, status, reach, start_earliest, event_id, end_latest)", _WALKED,
    ),
}  # fmt: skip


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.indexes", description=__doc__)
    ask_for_database(parser, 1_000_000)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        url = asked_database(stack, arguments)
        hold_contest(url)
        asyncio.run(ask_questions(url))
        list_sizes(url)


def hold_contest(url: str) -> None:
    """Let each kind of index answer alone, and take what rows cost to insert."""
    print("| index | " + " | ".join(f"runs at a day {name}: ms, buffers" for name in DAYS), end="")
    print(" | the same, a rare status | MB | s to build | µs a row to insert |\n|---|---|---|---|---|---|---|")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        connection.execute("SET maintenance_work_mem = '1GB'")
        connection.execute("SET jit = off")
        connection.execute("DROP TABLE IF EXISTS contest")
        connection.execute(_KEYS)
        for name, (definition, question) in CONTEST.items():
            cells = _stand(connection, definition, question)
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
        connection.execute("DROP TABLE contest")


def _stand(connection: Connection[Any], definition: str, question: str) -> list[str]:
    began = time.perf_counter()
    if definition:
        connection.execute(f"CREATE INDEX contestant ON contest {definition}")
    built = time.perf_counter() - began
    connection.execute("VACUUM ANALYZE contest")
    cells = ["", "", "", "0", ""]
    if question:
        asked = [_fill(question, day, "") for day in DAYS.values()]
        asked.append(_fill(question, DAYS["recent"], "AND status = 'tentative'"))
        size = connection.execute("SELECT pg_relation_size('contestant') / 1e6").fetchone()
        cells = [*(_explain(connection, one) for one in asked), f"{size[0] if size else 0:.0f}", f"{built:.1f}"]
    cells.append(f"{_insert(connection):.1f}")
    if definition:
        connection.execute("DROP INDEX contestant")
    return cells


def _fill(question: str, day: str, status: str) -> str:
    timeline = timeline_id_of(TIMELINE)
    walks = []
    for reach in REACHES:
        reaches_back = reach < len(REACH_DAYS)
        floor = f"timestamptz '{day}' - interval '{REACH_DAYS[reach]} days'" if reaches_back else "'-infinity'"
        walks.append(_WALK.format(timeline=timeline, day=day, status=status, reach=reach, floor=floor))
    return question.format(timeline=timeline, day=day, status=status, walks=" UNION ALL ".join(walks))


def _explain(connection: Connection[Any], statement: str) -> str:
    taken: list[float] = []
    buffers = 0
    for _ in range(RUNS):
        row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}").fetchone()
        plan = row[0][0] if row else {}
        taken.append(plan["Execution Time"])
        buffers = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return f"{min(taken):.2f}, {buffers:,}"


def _insert(connection: Connection[Any]) -> float:
    """Insert rows of random dates; answers microseconds a row, the least of some runs."""
    rows = (
        "SELECT timeline_id, gen_random_uuid(), status, reach, start_earliest, end_latest, possible FROM contest"
        f" ORDER BY event_id DESC LIMIT {INSERTED}"
    )
    least = float("inf")
    for _ in range(3):
        with connection.transaction(force_rollback=True):
            began = time.perf_counter()
            connection.execute(f"INSERT INTO contest {rows}")
            least = min(least, time.perf_counter() - began)
    return least / INSERTED * 1e6


async def ask_questions(url: str) -> None:
    """Ask each question as the service does, and print the least of some runs: other work only adds to it."""
    database = Database(url, pool_size=1, statement_timeout_seconds=60)
    await database.open()
    print("\n| question | ms of the page | estimated, ms | exact, ms |\n|---|---|---|---|")
    try:
        async with database.read() as connection:
            for question in questions():
                print(f"| {question.name} | {' | '.join(await _cells(connection, question))} |", flush=True)
    finally:
        await database.close()


async def _cells(connection: Any, question: Question) -> list[str]:  # noqa: ANN401  # the store's own connection
    query = question.query
    page, _ = await _timed(lambda: read_page(connection, query, CALLER, limit=50, after=question.after), 2 * RUNS)
    cells = [f"{page:.2f}"]
    ways: tuple[Count, ...] = ("estimated", "exact")
    for how in ways:
        if question.after is not None or query.sort != "date":
            cells.append("")
            continue
        taken, count = await _timed(partial(count_events, connection, query, CALLER, how), 3)
        cells.append(f"{count.events:,}, {taken:.1f}")
    return cells


async def _timed(run: Callable[[], Awaitable[Any]], times: int) -> tuple[float, Any]:
    """Run it some times; answers the least of the later half in milliseconds, and what came out."""
    taken = []
    result = None
    for _ in range(times):
        began = time.perf_counter()
        result = await run()
        taken.append((time.perf_counter() - began) * 1000)
    return min(taken[times // 2 :]), result


def list_sizes(url: str) -> None:
    """Print the size of each table and index, as made by the load."""
    print("\n| table or index | MB |\n|---|---|")
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT relname, pg_relation_size(oid) / 1e6 FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'i') AND pg_relation_size(oid) > 1e6 ORDER BY 2 DESC"
        )
        for name, size in rows:
            print(f"| {name} | {size:,.0f} |")


if __name__ == "__main__":
    main()
