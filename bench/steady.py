"""`python -m bench.steady --minutes 10`: whether reads stay as they are when they go on.

Asks one service of two processes for pages, from 16 connections, and prints for each half minute how many were
answered, how long they took, and how much memory each server process holds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil

from bench.contestants import dateline
from bench.sample import make_tasks
from bench.server import loaded

CONNECTIONS = 16
TURN_SECONDS = 30


def main() -> None:
    """Ask as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.steady", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to ask (3)")
    parser.add_argument("--events", type=int, default=50_000, help="how many events to load (50,000)")
    parser.add_argument("--database", help="a database that this has loaded before, as a URL; nothing is loaded then")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        url = arguments.database or loaded(stack, arguments.events)
        _, pages, _ = make_tasks(url)
        served = stack.enter_context(dateline(url))
        for _ in range(max(1, round(arguments.minutes * 60 / TURN_SECONDS))):
            answer = subprocess.run(
                [sys.executable, "-m", "bench.client", str(served.port), str(TURN_SECONDS), str(CONNECTIONS)],
                input="\n".join(pages.paths), capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
            )  # fmt: skip
            figures = json.loads(answer.stdout)
            held = [one.memory_info().rss / 1e6 for one in psutil.Process(served.pid).children()]
            print(
                f"{figures['per_second']:7,.0f}/s, median {figures['median_ms']:.1f} ms, "
                f"p99 {figures['p99_ms']:.1f} ms, {figures['p99_ms'] / figures['median_ms']:.1f} times that; "
                f"{', '.join(f'{one:.0f}' for one in held)} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
