"""Database and service are killed in turn, while clients write safely: what was acknowledged is there once, and whole.

What was acknowledged is compared with all that the tables hold, and with what the API tells of it. A killed process
loses no write that it has handed to the kernel: that the disk has it is PostgreSQL's fsync, which is on and not tested.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.keys import ADMIN, bearer
from tests.live.service import tracebacks
from tests.prove import IS_LONG
from tests.prove.deployment import Deployment, Victim, deployed, durable_postgres
from tests.prove.keyed_traffic import EVENTS, TIMELINE, Kind, Writers
from tests.prove.ledger import Acknowledged, State, find_faults, read_kept
from tests.prove.wholeness import find_partial

WRITERS = 8
SECONDS, EVERY_SECONDS, WORKERS = (60.0, 3.0, 2) if IS_LONG else (6.0, 2.0, 1)
# From a kill until something succeeds that was sent after it. The short form shares the machine with other tests.
RECOVERY_SECONDS = 5.0 if IS_LONG else 60.0
PATIENCE_SECONDS = 60.0
PAGE = 200


class Outage(NamedTuple):
    """A kill: of whom, and how long it took until something succeeded again."""

    victim: Victim
    seconds: float


@contextmanager
def writing(writers: Writers) -> Iterator[Future[None]]:
    """Have them write while the block lasts, and see what is in doubt to its end."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(writers.run)
        try:
            yield done
        finally:
            writers.stop()
        done.result()


def wait_for_success(writers: Writers, done: Future[None], since: float) -> float:
    """Wait until a request succeeds that was sent since then, and give when its answer came."""
    while writers.record.success[0] < since:
        assert time.monotonic() < since + PATIENCE_SECONDS, "nothing succeeds any more"
        if done.done():
            done.result()
        time.sleep(0.01)
    return writers.record.success[1]


def kill_in_turn(deployment: Deployment, writers: Writers, done: Future[None]) -> list[Outage]:
    """Kill one after the other, and start it again at once."""
    wait_for_success(writers, done, time.monotonic())
    outages = []
    begun = time.monotonic()
    for victim in cycle(Victim):
        time.sleep(EVERY_SECONDS if not outages else max(0.0, EVERY_SECONDS - outages[-1].seconds))
        killed = time.monotonic()
        if killed > begun + SECONDS and len(outages) >= len(Victim):
            return outages
        deployment.kill(victim)
        deployment.restart(victim)
        outages.append(Outage(victim, wait_for_success(writers, done, killed) - killed))
    raise AssertionError("unreachable")


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


def check_by_api(base: str, acknowledged: list[Acknowledged]) -> None:
    """Assert that lists, count, feed and history tell what was acknowledged."""
    states = newest(acknowledged)
    present = {state.event: state.version for state in states.values() if state.content is not None}
    with httpx.Client(base_url=base, headers=bearer(ADMIN), timeout=PATIENCE_SECONDS) as http:
        listed = walk(http, EVENTS, "cursor")
        assert len(listed) == len(present)
        assert {one["id"]: one["version"] for one in listed} == present
        assert http.get(EVENTS, params={"count": "exact", "limit": 1}).json()["count"] == len(present)
        told = [(one["event"], one["version"]) for one in walk(http, f"/v1/timelines/{TIMELINE}/changes", "after")]
        assert sorted(told) == sorted((state.event, state.version) for one in acknowledged for state in one.states)
        for state in list(states.values())[:: max(1, len(states) // 50)]:
            history = walk(http, f"{EVENTS}/{state.event}/history", "cursor")
            assert [one["version"] for one in history] == list(range(state.version, 0, -1))


def test_what_was_acknowledged_is_there_once_and_whole(tmp_path: Path) -> None:
    with durable_postgres(tmp_path / "data") as database:
        with deployed(tmp_path, database, workers=WORKERS) as deployment:
            writers = Writers(lambda: deployment.base, bearer(ADMIN), WRITERS)
            with writing(writers) as done:
                outages = kill_in_turn(deployment, writers, done)
            record = writers.record
            check_by_api(deployment.base, record.acknowledged)
        kept = read_kept(database.url)
        partial = find_partial(database.url)
    longest = {victim: max(one.seconds for one in outages if one.victim is victim) for victim in Victim}
    sys.stdout.write(
        f"{len(outages)} kills under {WRITERS} writers: {len(record.acknowledged)} writes acknowledged, {record.repeated} "
        f"of them repeated, {len(kept.states)} states; until the first success after a kill, at the longest: "
        f"{', '.join(f'{victim.name.lower()} {seconds:.1f} s' for victim, seconds in longest.items())}\n"
    )
    for outcome, times in sorted(record.outcomes.items()):
        sys.stdout.write(f"  {outcome}: {times}\n")
    assert find_faults(record.acknowledged, kept) == []
    assert partial == {}
    assert tracebacks(tmp_path) == []
    assert all(one.seconds < RECOVERY_SECONDS for one in outages), outages
    # one that saw nothing repeated, or not every kind of write, would prove little
    assert record.repeated > 0
    assert {outcome.partition(":")[0] for outcome in record.outcomes} == set(Kind)
    assert not [one for one in record.outcomes if one.partition(": ")[2].startswith("5") and not one.endswith("503")]
