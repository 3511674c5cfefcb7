"""Writers who insert, amend and delete without rest, so that whoever reads meanwhile has something to stumble over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx

GENERATION = "generation"


class Restless:
    """Writers at the events of a timeline, each with events of its own; `count` is how many writes were done.

    `events` is the path of the timeline's events. Together with them one more writer gives all of `shown` another
    summary at a time, in one batch each: whoever sees two of those at once has not seen one state of the store.
    """

    def __init__(self, http: httpx.AsyncClient, events: str, touched: Sequence[str], shown: Sequence[str]) -> None:
        self._http = http
        self._events = events
        self._touched = touched
        self._versions = dict.fromkeys(shown, 0)
        self._generation = 0
        self._done = asyncio.Condition()
        self.writes: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Count the writes that were done."""
        return self.writes.total()

    async def pass_by(self, writes: int) -> None:
        """Wait until so many more writes are done."""
        until = self.count + writes
        async with self._done:
            await self._done.wait_for(lambda: self.count >= until)

    async def run(self, writers: int) -> None:
        """Write until cancelled; the first write is the first generation."""
        for event in self._versions:
            answer = (await self._http.get(f"{self._events}/{event}")).raise_for_status()
            self._versions[event] = answer.json()["version"]
        await self._show_next()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._show())
            for number in range(writers):
                group.create_task(self._go_on(Random(number), list(self._touched[number::writers])))  # noqa: S311

    async def _go_on(self, chance: Random, events: list[str]) -> None:
        """Move an event, delete one, or insert one: in the long run as many as before."""
        while True:
            (what,) = chance.choices(["amend", "insert", "delete"], [50, 25, 25])
            body: dict[str, Any] = {"when": str(chance.randrange(1800, 2030)), "topics": [f"t-{chance.randrange(100)}"]}
            if what == "insert" or not events:
                new = body | {"title": "Restless", "status": "planned"}
                events.append((await self._send("insert", "POST", self._events, new)).json()["id"])
                continue
            event = chance.choice(events)
            if what == "delete":
                events.remove(event)
                await self._send(what, "DELETE", f"{self._events}/{event}", None)
            else:
                await self._send(what, "PATCH", f"{self._events}/{event}", body)

    async def _show(self) -> None:
        while True:
            await self._show_next()

    async def _show_next(self) -> None:
        self._generation += 1
        patch = {"summary": f"{GENERATION} {self._generation}"}
        operations = [
            {"operation": "amend", "event": event, "if_match": version, "patch": patch}
            for event, version in self._versions.items()
        ]
        answer = await self._send("batch", "POST", f"{self._events}:batch", {"operations": operations})
        self._versions = {item["event"]: item["version"] for item in answer.json()["items"]}

    async def _send(self, what: str, method: str, path: str, body: object) -> httpx.Response:
        headers = {} if method == "POST" else {"If-Match": "*"}
        answer = await self._http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        async with self._done:
            self.writes[what] += 1
            self._done.notify_all()
        return answer
