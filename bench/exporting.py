"""`python -m bench.exporting`: exports against PostgreSQL's own COPY of the same documents, and the memory they take.

The contestants take turns, each from its first byte on: how long a program takes to start does not grow with what is
exported. Beside the time that each takes stands the CPU's, of all processes that work for it: on a machine that does
other things too, that is what can be compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from bench.events import TIMELINE
from bench.server import ask_for_database, asked_database
from bench.usage import database_process, processor_seconds, resident_bytes
from service.embedded import find_programs
from service.store.query import timeline_id_of

_SAMPLE_SECONDS = 0.02
_READ_BYTES = 1024 * 1024


class Turn(NamedTuple):
    """What a turn took: seconds, the CPU's seconds, and the most memory of the largest process, in bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.exporting", description=__doc__)
    ask_for_database(parser, 100_000)
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant has its turn (5)")
    asked = parser.parse_args()
    with ExitStack() as stack:
        url = asked_database(stack, asked)
        contestants = {
            "COPY of the events' documents": _psql(url, "event"),
            "dateline export --present": _command(url, "--present"),
            "COPY of the states' documents": _psql(url, "event_state"),
            "dateline export": _command(url),
        }
        turns: dict[str, list[Turn]] = {name: [] for name in contestants}
        for number in range(asked.rounds):
            for name, command in contestants.items():
                turns[name].append(_take(url, command))
            print(f"round {number + 1} of {asked.rounds}", flush=True)
    _report(turns)


def _psql(url: str, table: str) -> Callable[[], subprocess.Popen[bytes]]:
    where = f"timeline_id = '{timeline_id_of(TIMELINE)}'"
    copy = f"COPY (SELECT document FROM {table} WHERE {where}) TO STDOUT"  # this file's words
    return _begin([str(find_programs().folder / "psql"), url, "-qAtX", "-c", copy], {})


def _command(url: str, *options: str) -> Callable[[], subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "service", "export", "--timeline", TIMELINE, *options, "-"]
    return _begin(command, {"DATELINE_DATABASE_URL": url})


def _begin(command: Sequence[str], environment: dict[str, str]) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE)


def _take(url: str, begin: Callable[[], subprocess.Popen[bytes]]) -> Turn:
    database = database_process(url)
    assert database is not None  # noqa: S101  # the server runs on this machine
    with begin() as process:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        watched, peak = process.pid, 0
        os.read(process.stdout.fileno(), 1)
        began, before = time.perf_counter(), processor_seconds(watched) + processor_seconds(database)
        seen, used = began, processor_seconds(watched)
        while os.read(process.stdout.fileno(), _READ_BYTES):
            if time.perf_counter() - seen > _SAMPLE_SECONDS:
                peak = max(peak, *resident_bytes(watched).values())
                used, seen = processor_seconds(watched), time.perf_counter()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    time.sleep(0.2)  # its backend has ended then
    return Turn(seconds, used + processor_seconds(database) - before, peak)


def _report(turns: dict[str, list[Turn]]) -> None:
    if any(one.cpu_seconds == 0 for taken in turns.values() for one in taken):
        raise SystemExit("A turn took less processor time than the system counts: load more events.")
    print("\nMedians. `times COPY` is how fast it is where COPY of the same documents is 1.\n")
    print("| | s | times COPY | CPU s | times COPY | most memory, MiB |\n|---|---|---|---|---|---|")
    base: list[Turn] = []
    for name, taken in turns.items():
        # each stands behind the COPY that it is compared with
        base = taken if name.startswith("COPY") else base
        pairs = list(zip(base, taken, strict=True))
        print(
            f"| {name} | {statistics.median(one.seconds for one in taken):.2f} "
            f"| {statistics.median(copy.seconds / one.seconds for copy, one in pairs):.2f} "
            f"| {statistics.median(one.cpu_seconds for one in taken):.2f} "
            f"| {statistics.median(copy.cpu_seconds / one.cpu_seconds for copy, one in pairs):.2f} "
            f"| {max(one.peak_bytes for one in taken) / 2**20:.0f} |"
        )


if __name__ == "__main__":
    main()
