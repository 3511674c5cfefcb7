"""Database and service are killed in turn, while clients write safely: what was acknowledged is there once, and whole.

What was acknowledged is compared with all that the tables hold, and with what the API tells of it. A killed process
loses no write that it has handed to the kernel: that the disk has it is PostgreSQL's fsync, which is on and not tested.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from enum import Enum
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx

from service.embedded import EmbeddedPostgres
from tests.keys import ADMIN, bearer
from tests.live.service import tracebacks
from tests.prove import IS_LONG
from tests.prove.deployment import Victim, deployed, durable_postgres
from tests.prove.keyed_traffic import EVENTS, PATIENCE_SECONDS, TIMELINE, Kind, Record, Writers
from tests.prove.ledger import Acknowledged, Kept, State, find_faults, read_kept
from tests.prove.mortal import Mortal, Part
from tests.prove.wholeness import find_partial

WRITERS = 8
KILLS, EVERY_SECONDS, WORKERS = (20, 3.0, 2) if IS_LONG else (2, 1.5, 1)
# From a kill until something succeeds that was sent after the start. The short form shares the machine with others.
RECOVERY_SECONDS = 5.0 if IS_LONG else 60.0
PAGE = 200


class Killed(Protocol):
    """What is killed, and started again."""

    @property
    def base(self) -> str:
        """Give where it listens, or last did."""

    def kill(self, part: Any, /) -> None:  # noqa: ANN401  # each has parts of its own
        """Kill a part of it."""

    def restart(self) -> None:
        """Start what was killed."""


class Outage(NamedTuple):
    """A kill: of what, and how long it took until something succeeded again."""

    part: Enum
    seconds: float


def kill_in_turn(killed: Killed, parts: Iterable[Enum], writers: Writers) -> list[Outage]:
    """Kill one part after the other, and start it again at once."""
    writers.wait_for_every_kind()
    outages: list[Outage] = []
    for part in islice(cycle(parts), KILLS):
        time.sleep(EVERY_SECONDS if not outages else max(0.0, EVERY_SECONDS - outages[-1].seconds))
        at = time.monotonic()
        killed.kill(part)
        killed.restart()
        # what was sent before may have been done by what still was there
        outages.append(Outage(part, writers.wait_for_success(time.monotonic()) - at))
    # each writer met every kill, but what it then repeats is acknowledged when the machine gets to it
    writers.wait_for_repetition()
    return outages


def newest(acknowledged: list[Acknowledged]) -> dict[str, State]:
    """Give each event's last state."""
    states: dict[str, State] = {}
    for state in (state for one in acknowledged for state in one.states):
        if state.event not in states or states[state.event].version < state.version:
            states[state.event] = state
    return states


def walk(http: httpx.Client, path: str, parameter: str) -> list[dict[str, Any]]:
    """Read all items, page by page; `parameter` is what a page's cursor is sent as."""
    items: list[dict[str, Any]] = []
    asked: dict[str, str | int] = {"limit": PAGE}
    while True:
        page = http.get(path, params=asked).raise_for_status().json()
        items += page["items"]
        if not page["items"] or page["next"] is None:
            return items
        asked[parameter] = page["next"]


def check_by_api(base: str, key: str, acknowledged: list[Acknowledged]) -> None:
    """Assert that lists, count, feed and history tell what was acknowledged."""
    states = newest(acknowledged)
    present = {state.event: state.version for state in states.values() if state.content is not None}
    with httpx.Client(base_url=base, headers=bearer(key), timeout=PATIENCE_SECONDS) as http:
        listed = walk(http, EVENTS, "cursor")
        assert len(listed) == len(present)
        assert {one["id"]: one["version"] for one in listed} == present
        assert http.get(EVENTS, params={"count": "exact", "limit": 1}).json()["count"] == len(present)
        told = [(one["event"], one["version"]) for one in walk(http, f"/v1/timelines/{TIMELINE}/changes", "after")]
        assert sorted(told) == sorted((state.event, state.version) for one in acknowledged for state in one.states)
        for state in list(states.values())[:: max(1, len(states) // 50)]:
            history = walk(http, f"{EVENTS}/{state.event}/history", "cursor")
            assert [one["version"] for one in history] == list(range(state.version, 0, -1))


def check_record(record: Record, outages: list[Outage], kept: Kept) -> None:
    """Assert that the store holds what was acknowledged, and that the record proves something; tell the figures."""
    longest: dict[str, float] = {}
    for outage in outages:
        longest[outage.part.name] = max(outage.seconds, longest.get(outage.part.name, 0))
    sys.stdout.write(
        f"{len(outages)} kills under {WRITERS} writers: {len(record.acknowledged)} writes acknowledged, "
        f"{record.repeated} of them repeated, {len(kept.states)} states; the first success after a kill came within "
        f"{', '.join(f'{seconds:.1f} s ({part.lower()})' for part, seconds in longest.items())}\n"
    )
    for outcome, times in sorted(record.outcomes.items()):
        sys.stdout.write(f"  {outcome}: {times}\n")
    assert find_faults(record.acknowledged, kept) == []
    assert all(one.seconds < RECOVERY_SECONDS for one in outages), outages
    # one that saw nothing repeated, or not every kind of write, would prove little
    assert record.repeated > 0
    assert {outcome.partition(":")[0] for outcome in record.outcomes} == set(Kind)


def test_what_was_acknowledged_is_there_once_and_whole(tmp_path: Path) -> None:
    with durable_postgres(tmp_path / "data") as database:
        with deployed(tmp_path, database, workers=WORKERS) as deployment:
            writers = Writers(lambda: deployment.base, bearer(ADMIN), WRITERS)
            with writers.at_work():
                outages = kill_in_turn(deployment, Victim, writers)
            check_by_api(deployment.base, ADMIN, writers.record.acknowledged)
        check_record(writers.record, outages, read_kept(database.url))
        assert find_partial(database.url) == {}
    assert tracebacks(tmp_path) == []


def test_so_it_is_on_the_database_that_comes_along(tmp_path: Path) -> None:
    service = Mortal(tmp_path, workers=WORKERS)
    try:
        writers = Writers(lambda: service.base, bearer(service.key), WRITERS)
        with writers.at_work():
            outages = kill_in_turn(service, Part, writers)
        check_by_api(service.base, service.key, writers.record.acknowledged)
    finally:
        service.stop()
    with EmbeddedPostgres(tmp_path / "data") as url:
        check_record(writers.record, outages, read_kept(url))
        assert find_partial(url) == {}
