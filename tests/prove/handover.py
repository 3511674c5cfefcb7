"""Replace the instances of a service one after the other, under a steady load that must not notice.

The driver knows each instance by its address, and by how it is stopped and started anew on the same one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from tests.keys import bearer
from tests.prove.balancer import Balancer

TIMELINE = "/v1/timelines/handed-over"
EVENTS = f"{TIMELINE}/events"
WRITES_IN = 4  # one of so many requests writes
BETWEEN_SECONDS = 1.0
ANSWER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its address, how it is told to stop and waited for (giving its exit code), and started again."""

    base: str
    stop: Callable[[], int]
    start: Callable[[], None]


@dataclass
class Handed:
    """What clients saw, and what is there afterwards."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: list[int] = field(default_factory=list)
    longest_seconds: float = 0.0
    seconds: float = 0.0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        return (
            f"{self.outcomes.total()} requests in {self.seconds:.0f} s ({self.outcomes.total() / self.seconds:.0f}/s): "
            f"{dict(self.outcomes)}, the longest took {self.longest_seconds:.2f} s; {len(self.codes)} instances "
            f"stopped, with {set(self.codes)}; {self.acknowledged} writes acknowledged, {self.lost} lost, "
            f"{self.doubled} doubled, {self.unknown} that nobody was told of"
        )


async def hand_over(instances: list[Instance], key: str, *, rate: float, rounds: int) -> Handed:
    """Send so many requests a second while every instance is replaced, so many times, and tell how they fared.

    Nothing is tried twice: what fails, fails.
    """
    balancer = Balancer([one.base for one in instances])
    found = Handed()
    async with balancer.run(), asyncio.TaskGroup() as group:
        for one in instances:
            await balancer.until(one.base, is_ready=True)
        async with httpx.AsyncClient(base_url=balancer.base, headers=bearer(key), timeout=ANSWER_SECONDS) as http:
            made = await http.post("/v1/timelines", json={"slug": "handed-over", "title": "Handed over"})
            made.raise_for_status()
            over = asyncio.Event()
            load = group.create_task(_load(http, rate, over, found))
            for one in instances * rounds:
                await asyncio.sleep(BETWEEN_SECONDS)
                found.codes.append(await asyncio.to_thread(one.stop))
                await balancer.until(one.base, is_ready=False)
                await asyncio.to_thread(one.start)
                await balancer.until(one.base, is_ready=True)
            await asyncio.sleep(BETWEEN_SECONDS)
            over.set()
            titles = await load
            await _compare(http, titles, found)
    found.outcomes["turned away"] += balancer.turned_away
    return found


async def _load(http: httpx.AsyncClient, rate: float, over: asyncio.Event, found: Handed) -> set[str]:
    """Send requests at a steady rate, however long each takes; give the titles of acknowledged writes."""
    titles: set[str] = set()
    began = time.monotonic()

    async def send(number: int) -> None:
        asked = time.monotonic()
        try:
            if number % WRITES_IN == 0:
                title = f"event {number}"
                body = {"title": title, "when": "2013-02", "status": "planned"}
                answer = await http.post(EVENTS, json=body, headers={"Idempotency-Key": str(uuid4())})
                if answer.status_code == 201:
                    titles.add(title)
            else:
                answer = await http.get(EVENTS, params={"limit": 10})
            found.outcomes[f"{answer.request.method} {answer.status_code}"] += 1
        except httpx.TransportError as error:
            found.outcomes[f"{type(error).__name__}: {error}"] += 1
        found.longest_seconds = max(found.longest_seconds, time.monotonic() - asked)

    async with asyncio.TaskGroup() as group:
        number = 0
        while not over.is_set():
            group.create_task(send(number))
            number += 1
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
    found.seconds = time.monotonic() - began
    return titles


async def _compare(http: httpx.AsyncClient, titles: set[str], found: Handed) -> None:
    listed = await http.get(EVENTS, headers={"Accept": "application/x-ndjson"})
    there = Counter(json.loads(line)["title"] for line in listed.text.splitlines())
    found.acknowledged = len(titles)
    found.lost = len(titles - there.keys())
    found.unknown = len(there.keys() - titles)
    found.doubled = sum(count > 1 for count in there.values())
