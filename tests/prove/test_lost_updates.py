"""Many clients count in one event, each by reading it and writing one more: no count is lost, none made twice."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import httpx

from tests.keys import bearer
from tests.live.service import running
from tests.prove import IS_LONG
from tests.prove.states import check_unbroken, read_states

CLIENTS, INCREMENTS, WORKERS = (50, 2000, 2) if IS_LONG else (8, 104, 1)


class Counting:
    """An event whose summary is a number, and what became of each attempt to increment it."""

    def __init__(self, http: httpx.AsyncClient, path: str) -> None:
        self._http = http
        self._path = path
        self.statuses: Counter[int] = Counter()
        self.written: dict[int, str] = {}

    async def increment(self, *, patches: bool) -> None:
        """Read the number, and write the next one if nobody else has meanwhile."""
        read = await self._http.get(self._path)
        number = int(read.raise_for_status().json()["summary"]) + 1
        headers = {"If-Match": read.headers["ETag"]}
        if patches:
            answer = await self._http.patch(self._path, json={"summary": f"{number}"}, headers=headers)
        else:
            answer = await self._http.put(self._path, json=body(number), headers=headers)
        self.statuses[answer.status_code] += 1
        if answer.is_success:
            document = answer.json()
            assert document["version"] not in self.written, "a version is acknowledged once"
            self.written[document["version"]] = document["summary"]

    async def count(self, times: int, *, patches: bool) -> None:
        """Increment, one time after another."""
        for _ in range(times):
            await self.increment(patches=patches)


def body(number: int) -> dict[str, str]:
    return {"title": "A number", "when": "2013", "status": "planned", "summary": f"{number}"}


async def race(base: str, key: str) -> Counter[int]:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=base, headers=bearer(key), limits=limits, timeout=60) as http:
        (await http.post("/v1/timelines", json={"slug": "numbers", "title": "Numbers"})).raise_for_status()
        made = await http.post("/v1/timelines/numbers/events", json=body(0))
        path = made.raise_for_status().headers["Location"]
        counting = Counting(http, path)
        async with asyncio.TaskGroup() as group:
            for client in range(CLIENTS):
                group.create_task(counting.count(INCREMENTS // CLIENTS, patches=client % 2 == 0))
        final = (await http.get(path)).raise_for_status().json()
        states = await read_states(http, path)

    successes = counting.statuses[200]
    assert counting.statuses.total() == INCREMENTS
    assert counting.statuses.keys() == {200, 412}, "there was a race, and nothing but it went wrong"
    assert final["version"] == 1 + successes
    assert final["summary"] == f"{successes}"
    check_unbroken(states)
    recorded = {state["version"]: state["document"]["summary"] for state in states}
    assert recorded == {1: "0"} | counting.written, "what was recorded is what was acknowledged"
    assert recorded == {version: f"{version - 1}" for version in range(1, successes + 2)}
    return counting.statuses


def test_no_update_is_lost(tmp_path: Path) -> None:
    with running(tmp_path, workers=WORKERS, seed="false") as service:
        statuses = asyncio.run(race(service.base, service.key))
    sys.stdout.write(f"{CLIENTS} clients, {INCREMENTS} increments: {statuses[200]} written, {statuses[412]} refused\n")
