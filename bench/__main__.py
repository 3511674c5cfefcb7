"""`make bench`: load made-up events into a throwaway PostgreSQL, and compare, in one run.

For one event and for a page of 50, this service against the idiomatic way (`bench.yardstick`) and against the
database alone (pgbench, the same statements, prepared); pages as they were known back then against the same of the
present; the memory of an export; dates. The contestants take turns, so that whatever else the machine does falls on
all. Figures go to bench/results as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from bench import dates, export
from bench.contestants import CONNECTIONS, WORKERS, YARDSTICK_INDEX, ask, ask_database, dateline, yardstick
from bench.known import make_comparisons
from bench.sample import make_tasks
from bench.server import loaded

RESULTS = Path(__file__).parent / "results"
Rates = dict[str, dict[str, list[dict[str, float]]]]
EXPORT_LIMIT_BYTES = 200 * 1000 * 1000
OURS, YARDSTICK, DATABASE = "dateline", "idiomatic", "pgbench"
PRESENT, PAST = "present", "known_at"


def main() -> None:
    """Run it all, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="how many events to load (1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant has its turn (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a turn is (3)")
    parser.add_argument("--database", help="a database that this has loaded before, as a URL; nothing is loaded then")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        url = arguments.database or loaded(stack, arguments.events)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dateline-bench-")))
        figures = compare(stack, url, folder, arguments.rounds, arguments.seconds)
    figures["dates"] = dates.measure()
    figures["machine"] = machine()
    _report(figures)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\nWritten to {file}.")


def compare(stack: ExitStack, url: str, folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Let the contestants take turns; answers rates by task and contestant, and the export's figures."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(YARDSTICK_INDEX)
        row = connection.execute("SELECT count(*), current_setting('server_version') FROM event").fetchone()
    tasks = make_tasks(url)
    ours = stack.enter_context(dateline(url))
    theirs = stack.enter_context(yardstick(url))
    turns: list[tuple[str, str, Callable[[float], dict[str, float]]]] = []
    for task in tasks:
        turns.append((task.name, OURS, partial(ask, ours, task.paths)))
        if task.yardstick_paths:
            turns.append((task.name, YARDSTICK, partial(ask, theirs, task.yardstick_paths)))
        turns.append((task.name, DATABASE, partial(ask_database, url, task.scripts(folder))))
    measured = _take_turns(turns, rounds, seconds)
    turns = []
    for comparison in make_comparisons(url):
        turns.append((comparison.name, PRESENT, partial(ask, ours, comparison.present)))
        turns.append((comparison.name, PAST, partial(ask, ours, comparison.past)))
    print("the same, as known then", flush=True)
    return {
        "events": row[0] if row else 0,
        "postgresql": row[1] if row else "",
        "rounds": rounds,
        "seconds": seconds,
        "rates": measured,
        "known_at": _take_turns(turns, min(3, rounds), min(0.7, seconds)),
        "export": export.measure(ours),
    }


def _take_turns(
    turns: list[tuple[str, str, Callable[[float], dict[str, float]]]], rounds: int, seconds: float
) -> Rates:
    """Let each have its turn, round by round; answers what each did, by task and contestant."""
    measured: Rates = defaultdict(lambda: defaultdict(list))
    for number in range(rounds + 1):
        for task, contestant, turn in turns:
            result = turn(seconds if number else min(1.0, seconds))
            if number:  # the first round warms up
                measured[task][contestant].append(result)
        print(f"round {number} of {rounds}", flush=True)
    return measured


def machine() -> dict[str, Any]:
    """Say what this ran on."""
    packages = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "psycopg", "sqlalchemy", "pydantic")
    cpus = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*: (.*)$", cpus.read_text(), re.MULTILINE) if cpus.exists() else []
    return {
        "processors": f"{os.cpu_count()} x {models[0] if models else platform.machine()}",
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "load_average": os.getloadavg(),
    }


def _report(figures: dict[str, Any]) -> None:
    about = figures["machine"]
    print(f"\n## Dateline against the idiomatic way and the database alone, {figures['events']:,} events\n")
    print(f"{about['processors']}, {about['system']}, Python {about['python']}, PostgreSQL {figures['postgresql']}.")
    print(", ".join(f"{name} {number}" for name, number in about["packages"].items()) + ".")
    print(
        f"Servers of {WORKERS} processes; {CONNECTIONS} connections; client, server and database on this one machine. "
        f"Medians of {figures['rounds']} turns of {figures['seconds']:g} s, least and most in brackets.\n"
        "Repeat with `make bench`, or for a short run `python -m bench --events 50000 --rounds 3`.\n"
    )
    print("| answer | dateline/s | idiomatic/s | pgbench/s | times the idiomatic | of pgbench |")
    print("|---|---|---|---|---|---|")
    for task, rates in figures["rates"].items():
        cells = [_spread(rates.get(name, [])) for name in (OURS, YARDSTICK, DATABASE)]
        times = _ratio(rates, YARDSTICK, ", at least 8" if task.startswith("page") else "")
        share = _ratio(rates, DATABASE, ", at least 0.4" if task.startswith("page") else "")
        print(f"| {task} | {' | '.join(cells)} | {times} | {share} |")
    print("\n| page | of the present/s | as known then/s | times as dear, at most 2.5 |\n|---|---|---|---|")
    for task, rates in figures["known_at"].items():
        cells = [_spread(rates[name]) for name in (PRESENT, PAST)]
        print(f"| {task} | {' | '.join(cells)} | {_times(rates[PRESENT], rates[PAST])} |")
    exported = figures["export"]
    print(
        f"\nExport of {exported['events']:,} events as NDJSON: {exported['seconds']:.0f} s, "
        f"{exported['events'] / exported['seconds']:,.0f} events/s; a server process' memory at most "
        f"{exported['peak_bytes'] / 1e6:.0f} MB, {exported['idle_bytes'] / 1e6:.0f} MB before "
        f"(at most {EXPORT_LIMIT_BYTES / 1e6:.0f}).\n"
    )
    dates.report(figures["dates"])


def _spread(turns: list[dict[str, float]]) -> str:
    return _written([one["per_second"] for one in turns], ",.0f") if turns else ""


def _ratio(rates: dict[str, list[dict[str, float]]], other: str, expected: str) -> str:
    return _times(rates[OURS], rates[other]) + expected if other in rates else ""


def _times(some: list[dict[str, float]], others: list[dict[str, float]]) -> str:
    """Compare turn by turn: those of a round were under way at about the same time."""
    pairs = zip(some, others, strict=True)
    return _written([one["per_second"] / other["per_second"] for one, other in pairs], ".2f")


def _written(numbers: list[float], form: str) -> str:
    return f"{statistics.median(numbers):{form}} ({min(numbers):{form}} to {max(numbers):{form}})"


if __name__ == "__main__":
    main()
