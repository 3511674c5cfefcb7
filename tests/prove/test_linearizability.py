"""What clients see of events is what one service doing one thing at a time would show, however often it is killed.

A history of operations is recorded while parts of the service are killed and it starts again on the same data; then a
model explains every answer, or there is a violation.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx

from tests.keys import bearer
from tests.prove import IS_LONG
from tests.prove.event_model import ABSENT, Content, Kind, step
from tests.prove.linearizability import find_violation
from tests.prove.mortal import Mortal, Part
from tests.prove.states import check_unbroken, read_states
from tests.prove.traffic import ANSWER_SECONDS, EventOperation, Traffic

CLIENTS, OPERATIONS, EVENTS, KILLS, WORKERS = (16, 12_000, 100, 12, 2) if IS_LONG else (8, 500, 20, 1, 1)
# A history that lacked one of these would prove little; a short one may by chance lack some of the refusals.
SUCCESSES = {Kind.CREATE: (201,), Kind.REPLACE: (200,), Kind.AMEND: (200,), Kind.DELETE: (204,), Kind.READ: (200,)}
REFUSALS = {
    Kind.CREATE: (412, "unknown"),
    Kind.REPLACE: (412, "unknown"),
    Kind.AMEND: (404, 410, 412, "unknown"),
    Kind.DELETE: (404, 410, 412),
    Kind.READ: (404, 410),
}


@contextmanager
def mortal(folder: Path) -> Iterator[Mortal]:
    service = Mortal(folder, workers=WORKERS)
    try:
        yield service
    finally:
        service.stop()


async def kill_now_and_then(service: Mortal, traffic: Traffic) -> None:
    """Kill one part after another and start again, evenly over the operations."""
    for number, part in enumerate(islice(cycle(Part), KILLS), start=1):
        await traffic.reach(OPERATIONS * number // (KILLS + 1))
        await asyncio.to_thread(service.kill, part)
        await asyncio.to_thread(service.restart)


async def record(service: Mortal) -> tuple[Traffic, list[list[dict[str, Any]]]]:
    """Let clients go on while the service is killed; then read every event, and the states of each."""
    async with httpx.AsyncClient(
        headers=bearer(service.key), limits=httpx.Limits(max_connections=None), timeout=ANSWER_SECONDS
    ) as http:
        made = await http.post(f"{service.base}/v1/timelines", json={"slug": "killed", "title": "Killed"})
        made.raise_for_status()
        traffic = Traffic(http, lambda: service.base, "killed", EVENTS)
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run(CLIENTS, OPERATIONS))
            group.create_task(kill_now_and_then(service, traffic))
        await traffic.read_all()
        return traffic, [await read_states(http, service.base + path) for path in traffic.paths]


def check_history(states: list[dict[str, Any]], operations: list[EventOperation]) -> None:
    """Assert that the history holds each acknowledged write at its version, and nothing that nobody asked for."""
    check_unbroken(states)
    recorded = {state["version"]: content_of(state["document"]) for state in states}
    writes = [one for one in operations if one.request.kind is not Kind.READ]
    acknowledged = [one.answer for one in writes if one.answer is not None and one.answer.status < 300]
    unknown = sum(one.answer is None for one in writes)
    for answer in acknowledged:
        assert answer.state is None or recorded[answer.state.version] == answer.state.content
    assert len(acknowledged) <= len(recorded) <= len(acknowledged) + unknown


def content_of(document: dict[str, Any] | None) -> Content | None:
    return None if document is None else Content(document["title"], document["summary"])


def test_no_answer_contradicts_one_service_that_does_one_thing_at_a_time(tmp_path: Path) -> None:
    began = time.monotonic()
    with mortal(tmp_path) as service:
        traffic, states = asyncio.run(record(service))
    recorded = time.monotonic()
    violations = [
        f"event {number}: {violation}"
        for number, operations in enumerate(traffic.operations)
        if (violation := find_violation(operations, step, ABSENT)) is not None
    ]
    checked = time.monotonic()
    unknown = sum(one.answer is None for operations in traffic.operations for one in operations)
    sys.stdout.write(
        f"{traffic.count} operations of {CLIENTS} clients on {EVENTS} events, {KILLS} kills, {unknown} of unknown "
        f"outcome, {traffic.refused} refused connections; recorded in {recorded - began:.1f} s, checked in "
        f"{checked - recorded:.1f} s\n"
    )
    for outcome, times in sorted(traffic.statuses.items()):
        sys.stdout.write(f"  {outcome}: {times}\n")
    assert violations == [], "\n".join(violations)
    for recorded_states, operations in zip(states, traffic.operations, strict=True):
        check_history(recorded_states, operations)
    assert traffic.count >= OPERATIONS
    for needed in (SUCCESSES, REFUSALS) if IS_LONG else (SUCCESSES,):
        assert traffic.statuses.keys() >= {f"{kind}: {outcome}" for kind in needed for outcome in needed[kind]}
