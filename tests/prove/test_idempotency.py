"""Many keys, each sent by many at once and again until it is answered: so many events as keys, and one answer a key."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from uuid import uuid4

import httpx

from tests.keys import bearer
from tests.live.service import running
from tests.prove import IS_LONG

KEYS, PARALLEL, CONNECTIONS, WORKERS = (200, 100, 100, 2) if IS_LONG else (20, 25, 25, 1)
EVENTS = "/v1/timelines/once/events"


class Senders:
    """Those who send the same requests at once, and all that they were answered."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.statuses: Counter[int] = Counter()
        self.made: Counter[str] = Counter()
        self.answers: defaultdict[str, set[tuple[int, str, str, bytes]]] = defaultdict(set)

    async def send(self, key: str) -> None:
        """Send a key's request until it is answered with what it made."""
        body = {"title": f"Event {key}", "when": "2013", "status": "planned"}
        while True:
            answer = await self._http.post(EVENTS, json=body, headers={"Idempotency-Key": key})
            self.statuses[answer.status_code] += 1
            if answer.status_code == 201:
                self.made[key] += "Idempotency-Replayed" not in answer.headers
                told = (201, answer.headers["Location"], answer.headers["ETag"], answer.content)
                self.answers[key].add(told)
                return
            assert answer.status_code == 409, answer.text
            assert answer.json()["type"] == "/problems/idempotency-key-in-flight"
            assert int(answer.headers["Retry-After"]) > 0
            await asyncio.sleep(random.random() / 10)  # noqa: S311  # spread, not secret


async def flood(base: str, credential: str) -> Counter[int]:
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=base, headers=bearer(credential), limits=limits, timeout=120) as http:
        (await http.post("/v1/timelines", json={"slug": "once", "title": "Once"})).raise_for_status()
        keys = [str(uuid4()) for _ in range(KEYS)]
        senders, batch = Senders(http), max(1, CONNECTIONS // 10)
        for _ in range(0, KEYS, batch):
            some, keys = keys[:batch], keys[batch:]
            async with asyncio.TaskGroup() as group:
                for key in some * PARALLEL:
                    group.create_task(senders.send(key))
        there = await http.get(EVENTS, params={"count": "exact", "limit": 1})
    assert there.json()["count"] == KEYS
    assert senders.statuses[201] == KEYS * PARALLEL
    assert len(senders.made) == KEYS
    assert set(senders.made.values()) == {1}, "each was done by one"
    assert all(len(told) == 1 for told in senders.answers.values()), "and all were answered alike"
    return senders.statuses


def test_each_key_makes_one(tmp_path: Path) -> None:
    with running(tmp_path, workers=WORKERS, seed="false") as service:
        statuses = asyncio.run(flood(service.base, service.key))
    sys.stdout.write(f"{KEYS} keys, {PARALLEL} at once: {statuses[201]} answered, {statuses[409]} told to wait\n")
