"""`make bench-compare BASE=…`: measure this work tree against another commit, in one run.

Each runs its own code on a database of its own, which it has migrated and loaded itself, of one PostgreSQL. Both are
asked the same over HTTP, in turns; what is told of a pair of figures is their ratio within each round. A difference is
one in which so many rounds agree as chance alone has agree once in a hundred comparisons (a sign test): with ten rounds
all of them. The exit code says only whether it could be measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from bench.contestants import Served, ask, dateline, get
from bench.plot import Bar, Panel, picture
from bench.queries import Query, list_queries
from bench.record import machine, write
from bench.trees import CannotCompareError, Tree, checked_out, fill, make_key, this_tree
from bench.turns import Contest, Measured, Spread, figures_of, ratios, take_turns, verdict
from bench.usage import database_process, metered
from service.embedded import EmbeddedPostgres

THIS, BASE = "this", "base"


class Side(NamedTuple):
    """One of the two, as it runs."""

    tree: Tree
    served: Served
    queries: dict[str, Query]


def main() -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("base", help="a commit, such as v0.1.0 or HEAD~3")
    parser.add_argument("--events", type=int, default=50_000, help="how many events each loads (50,000)")
    parser.add_argument("--rounds", type=int, default=10, help="how often each has its turn, eight at least (10)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a turn is (1)")
    asked = parser.parse_args()
    try:
        figures = compare(asked.base, asked.events, asked.rounds, asked.seconds)
    except CannotCompareError as error:
        print(f"cannot compare: {error}", file=sys.stderr)
        sys.exit(1)
    text = "\n".join(report(figures))
    print(f"\n{text}\n")
    stem = write(figures, {".md": text + "\n", ".svg": picture(list(_panels(figures)))}, "compare-")
    print(f"Written to {stem}.json, .md and .svg.")


def compare(base: str, events: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Run both and let them take turns; answers figures by query and side."""
    with ExitStack() as stack:
        trees = {THIS: this_tree(), BASE: stack.enter_context(checked_out(base))}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dateline-bench-")))
        server = stack.enter_context(EmbeddedPostgres(folder, connections=200))
        sides = {name: _side(stack, server, name, tree, events) for name, tree in trees.items()}
        left_out: list[str] = []
        contests = list(_contests(sides, database_process(server), left_out))
        return {
            "machine": machine(),
            "trees": {name: tree.name for name, tree in trees.items()},
            "events": events,
            "rounds": rounds,
            "seconds": seconds,
            "rates": take_turns(contests, rounds, seconds, partial(print, flush=True)),
            "left_out": left_out,
        }


def _side(stack: ExitStack, server: str, name: str, tree: Tree, events: int) -> Side:
    print(f"{tree.name} loads {events:,} events …", flush=True)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = server.replace("@/postgres?", f"@/{name}?")
    fill(tree, url, events)
    key = make_key(tree, url)
    try:
        served = stack.enter_context(dateline(url, tree.folder, tree.python))
        queries = list(list_queries(served, key))
    except (RuntimeError, LookupError) as error:
        raise CannotCompareError(f"{tree.name} does not serve what is asked: {error}") from error
    return Side(tree, served, {query.name: query for query in queries})


def _contests(sides: Mapping[str, Side], database: int | None, left_out: list[str]) -> Iterator[Contest]:
    """Yield what both are asked; what one of them does not answer as expected is left out, and told."""
    for name in sides[THIS].queries:
        turns = []
        for side_name, (tree, served, queries) in sides.items():
            query = queries[name]
            status = get(served, query.requests[0]).status
            if status != query.status:
                left_out.append(f"{name}: {tree.name} answers with {status}")
                continue
            turn = partial(ask, served, query.requests, connections=query.connections, status=query.status)
            processes = {"server": served.pid, "database": database}
            turns.append(Contest(name, side_name, metered(turn, processes, watched=served.pid)))
        if len(turns) == len(sides):
            yield from turns


def report(figures: Mapping[str, Any]) -> Iterator[str]:
    """Write what was measured as Markdown."""
    trees, measured = figures["trees"], figures["rates"]
    yield f"## {trees[THIS]} beside {trees[BASE]}, {figures['events']:,} events each\n"
    yield (
        f"{figures['machine']['processors']}, Python {figures['machine']['python']}; ratios of {figures['rounds']} "
        f"turns of {figures['seconds']:g} s each, taken by turns: the median, the least and the most.\n"
    )
    yield (
        f"| answer | {trees[BASE]}/s | {trees[THIS]}/s | times as fast | | server's CPU, times | "
        "| database's CPU, times | | bytes, times |"
    )
    yield "|---" * 10 + "|"
    for name, sides in measured.items():
        rates = [Spread.of(figures_of(sides[side], "per_second")).median for side in (BASE, THIS)]
        cells = [name, *(f"{rate:,.0f}" for rate in rates), *_judged(sides, "per_second", "faster", "slower")]
        for part in ("server", "database"):
            cells += _judged(sides, f"{part}_cpu_ms", "dearer", "cheaper")
        cells.append(f"{Spread.of(compared(sides, 'answer_bytes')).median:.3f}")
        yield f"| {' | '.join(cells)} |"
    peaks = {side: max(one["peak_bytes"] for sides in measured.values() for one in sides[side]) for side in trees}
    yield f"\nPeak of a server process: {peaks[THIS] / 1e6:.0f} MB, before {peaks[BASE] / 1e6:.0f} MB."
    for word in ("faster", "slower"):
        found = [name for name, sides in measured.items() if verdict(compared(sides), "faster", "slower") == word]
        yield f"{word.title()}: {', '.join(found) or 'nothing for certain'}."
    if figures["left_out"]:
        yield f"Left out: {'; '.join(figures['left_out'])}."


def compared(sides: Mapping[str, Any], name: str = "per_second") -> list[float]:
    """Give a figure's ratio, this to base, of each round."""
    return ratios(figures_of(sides[THIS], name), figures_of(sides[BASE], name))


def _judged(sides: Mapping[str, Any], name: str, more: str, less: str) -> list[str]:
    if not all(one.get(name) for turns in sides.values() for one in turns):
        return ["", ""]  # not metered here, or less than a tick of the clock
    found = compared(sides, name)
    return [Spread.of(found).written(".2f"), verdict(found, more, less)]


def _panels(figures: Mapping[str, Any]) -> Iterator[Panel]:
    measured: Measured = figures["rates"]
    bars = []
    for name, sides in measured.items():
        found = compared(sides)
        word = verdict(found, "faster", "slower")
        bars.append(Bar(name, Spread.of(found), f"{Spread.of(found).median:.2f}, {word}", word != "slower"))
    yield Panel(f"{figures['trees'][THIS]}: times as fast as {figures['trees'][BASE]}", bars, mark=1)


if __name__ == "__main__":
    main()
