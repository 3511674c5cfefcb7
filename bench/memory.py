"""`python -m bench.memory --minutes 10`: what the server's memory does while it is asked all the time.

Reads of every kind, one after the other, exports among them, and writes. Each process is sampled every second; the
slope is a straight line through the later half of its samples, so that what fills up once does not count.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from bench.contestants import Served, ask, dateline
from bench.queries import list_queries
from bench.record import machine, write
from bench.server import ask_for_database, asked_database
from bench.usage import resident_bytes
from service import keyring
from service.wire.key import KeyBody

_SAMPLE_SECONDS, _TURN_SECONDS = 1.0, 2.0
Samples = Mapping[int, Sequence[tuple[float, int]]]
"""Seconds and resident bytes, by process."""


class Course(NamedTuple):
    """How a process' memory went."""

    first_bytes: int
    last_bytes: int
    most_bytes: int
    bytes_an_hour: float


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long (10)")
    ask_for_database(parser, 50_000)
    asked = parser.parse_args()
    with ExitStack() as stack:
        url = asked_database(stack, asked)
        _, key = keyring.create(url, KeyBody(name="bench", scopes=["write"]))
        served = stack.enter_context(dateline(url))
        answers, samples = watch(served, key, asked.minutes * 60)
    courses = {pid: course(some) for pid, some in samples.items()}
    print(f"\n{sum(answers.values()):,.0f} answers in {asked.minutes:g} minutes, of {len(answers)} kinds.\n")
    print("| process | first, MB | last, MB | most, MB | slope of the later half, MB an hour |\n|---|---|---|---|---|")
    for pid, found in courses.items():
        sizes = (found.first_bytes, found.last_bytes, found.most_bytes, found.bytes_an_hour)
        print(f"| {pid} | {' | '.join(f'{size / 1e6:,.1f}' for size in sizes)} |")
    figures: dict[str, Any] = {"machine": machine(), "minutes": asked.minutes, "answers": answers}
    figures |= {"courses": {pid: one._asdict() for pid, one in courses.items()}, "samples": samples}
    print(f"\nWritten to {write(figures, {}, 'memory-')}.json.")


def watch(served: Served, key: str, seconds: float) -> tuple[dict[str, float], Samples]:
    """Ask everything by turns for so long; answers how much was answered, and the samples."""
    samples: dict[int, list[tuple[float, int]]] = defaultdict(list)
    answers: dict[str, float] = defaultdict(float)
    began, stop = time.monotonic(), threading.Event()

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            for pid, size in resident_bytes(served.pid).items():
                samples[pid].append((time.monotonic() - began, size))

    queries = list(list_queries(served, key))
    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        while time.monotonic() - began < seconds:
            for query in queries:
                done = ask(served, query.requests, _TURN_SECONDS, connections=query.connections, status=query.status)
                answers[query.name] += done["answers"]
    finally:
        stop.set()
        sampler.join()
    return dict(answers), dict(samples)


def course(samples: Sequence[tuple[float, int]]) -> Course:
    """Sum a process' samples up; there must be four at least."""
    sizes = [size for _, size in samples]
    later = samples[len(samples) // 2 :]
    line = statistics.linear_regression([at for at, _ in later], [size for _, size in later])
    return Course(sizes[0], sizes[-1], max(sizes), line.slope * 3600)


if __name__ == "__main__":
    main()
