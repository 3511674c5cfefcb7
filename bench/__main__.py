"""`make bench`: load made-up events into a throwaway PostgreSQL, and compare, in one run.

This service beside the idiomatic way (`bench.yardstick`), the database alone (pgbench, prepared: the service's own
statements, and such as build the same answer), and a constant of the same framework; pages as they were known back
then beside those of the present; an export beside COPY; dates. The contestants take turns. Figures go to bench/results:
JSON, the same as tables (Markdown), and a picture (SVG).
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench import dates
from bench.contest import list_contests, list_exports, list_known, opened
from bench.contestants import YARDSTICK_INDEX
from bench.plot import panels_of, picture
from bench.record import machine, write
from bench.report import markdown
from bench.sample import make_tasks
from bench.server import ask_for_database, asked_database
from bench.turns import take_turns

# What is known then is asked in many ways, each for a shorter while.
_KNOWN_ROUNDS, _KNOWN_SECONDS, _EXPORT_ROUNDS = 3, 0.7, 3


def main() -> None:
    """Run it all, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    ask_for_database(parser, 1_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant has its turn (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a turn is (3)")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        url = asked_database(stack, arguments)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dateline-bench-")))
        figures = compare(stack, url, folder, arguments.rounds, arguments.seconds)
    figures["dates"] = dates.measure()
    print(f"\n{markdown(figures)}\n")
    stem = write(figures, {".md": markdown(figures) + "\n", ".svg": picture(panels_of(figures))})
    print(f"Written to {stem}.json, .md and .svg.")


def compare(stack: ExitStack, url: str, folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Let the contestants take turns; answers figures by task and contestant, and what they were taken on."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(YARDSTICK_INDEX)
        row = connection.execute("SELECT count(*), current_setting('server_version') FROM event").fetchone()
    tasks = make_tasks(url)
    field = opened(stack, url, tasks)
    left_out: list[str] = []
    told = partial(print, flush=True)
    rates = take_turns(list(list_contests(field, tasks, folder, left_out)), rounds, seconds, told)
    told("the same, as known then")
    known = take_turns(list(list_known(field)), min(_KNOWN_ROUNDS, rounds), min(_KNOWN_SECONDS, seconds), told)
    told("exports")
    return {
        "machine": machine(),
        "events": row[0] if row else 0,
        "postgresql": row[1] if row else "",
        "rounds": rounds,
        "seconds": seconds,
        "rates": rates,
        "known_at": known,
        "exports": take_turns(list(list_exports(field)), min(_EXPORT_ROUNDS, rounds), seconds, told),
        "left_out": left_out,
    }


if __name__ == "__main__":
    main()
