"""Clients that write and read a few events at once, and record what they asked, what they were told, and when."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from uuid import UUID

import httpx

from tests.prove.event_model import Answer, Content, Kind, Request, State
from tests.prove.linearizability import Operation

REFUSED_WAIT_SECONDS = 0.05
ANSWER_SECONDS = 60
UNAVAILABLE = 503  # the database was lost, perhaps at the commit: whether it came that far nobody knows
KINDS = {Kind.READ: 35, Kind.AMEND: 25, Kind.REPLACE: 20, Kind.CREATE: 12, Kind.DELETE: 8}

EventOperation = Operation[Request, Answer]


class Traffic:
    """What a number of clients do to some events, the first of which are the busiest.

    `base` gives the address to talk to now. `operations` is the record, by event, and `count` how many there are, of
    known and of unknown outcome; `refused` counts requests that were never sent for want of a connection.
    """

    def __init__(self, http: httpx.AsyncClient, base: Callable[[], str], timeline: str, events: int) -> None:
        self._http = http
        self._base = base
        self.paths = [f"/v1/timelines/{timeline}/events/{UUID(int=number)}" for number in range(1, events + 1)]
        self.operations: list[list[EventOperation]] = [[] for _ in range(events)]
        self._newest = [0] * events
        self._serial = itertools.count(1)
        self._milestones: dict[int, asyncio.Event] = {}
        self.count = 0
        self.refused = 0

    @property
    def statuses(self) -> Counter[str]:
        """Count how each kind of operation ended."""
        return Counter(
            f"{one.request.kind}: {'unknown' if one.answer is None else one.answer.status}"
            for operations in self.operations
            for one in operations
        )

    async def run(self, clients: int, operations: int) -> None:
        """Go on with so many clients at once until so many operations are recorded."""
        async with asyncio.TaskGroup() as group:
            for client in range(clients):
                group.create_task(self._go_on(client, operations))

    async def reach(self, count: int) -> None:
        """Wait until so many operations are recorded."""
        if self.count < count:
            await self._milestones.setdefault(count, asyncio.Event()).wait()

    async def read_all(self) -> None:
        """Read every event once, as a client that came last."""
        for event in range(len(self.paths)):
            assert await self._do(-1, event, Request(Kind.READ))

    async def _go_on(self, client: int, operations: int) -> None:
        choose = Random(client)  # noqa: S311  # which operations, no secret
        while self.count < operations:
            event = int(len(self.paths) * choose.random() ** 3)
            if not await self._do(client, event, self._request(choose, event)):
                await asyncio.sleep(REFUSED_WAIT_SECONDS)

    def _request(self, choose: Random, event: int) -> Request:
        """Make up a request, mostly with the newest version that any client has seen, at times with another."""
        (kind,) = choose.choices(list(KINDS), list(KINDS.values()))
        content = Content(f"title {next(self._serial)}", f"summary {next(self._serial)}")
        if kind is Kind.READ:
            return Request(kind)
        if kind is Kind.CREATE:
            return Request(kind, content)
        expected = choose.choices([self._newest[event] or None, max(1, self._newest[event] - 1), None], [16, 3, 1])[0]
        return Request(kind, None if kind is Kind.DELETE else content, expected)

    async def _do(self, client: int, event: int, request: Request) -> bool:
        """Send a request, and record it; False where no connection came about, so that it was never sent."""
        called = time.monotonic_ns()
        try:
            answer = await self._send(event, request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self.refused += 1
            return False
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.state is not None:
            self._newest[event] = max(self._newest[event], answer.state.version)
        self.operations[event].append(Operation(client, request, answer, called, time.monotonic_ns()))
        self.count += 1
        if self.count in self._milestones:
            self._milestones[self.count].set()
        return True

    async def _send(self, event: int, request: Request) -> Answer | None:
        method = request.kind.partition(",")[0]
        headers = {}
        if request.kind is Kind.CREATE:
            headers["If-None-Match"] = "*"
        elif request.kind is not Kind.READ:
            headers["If-Match"] = "*" if request.expected is None else f'"{request.expected}"'
        answer = await self._http.request(
            method, self._base() + self.paths[event], json=_body(request), headers=headers, timeout=ANSWER_SECONDS
        )
        return None if answer.status_code == UNAVAILABLE else _told(answer)


def _body(request: Request) -> dict[str, str] | None:
    if request.content is None:
        return None
    if request.kind is Kind.AMEND:
        return {"summary": request.content.summary}
    return {"title": request.content.title, "summary": request.content.summary, "when": "2013", "status": "planned"}


def _told(answer: httpx.Response) -> Answer:
    """Read what an answer says of the event's state: its document, whose version the entity tag repeats."""
    tag = answer.headers.get("ETag")
    if tag is None:
        return Answer(answer.status_code)
    document = answer.json()["current"] if answer.is_error else answer.json()
    assert tag == f'"{document["version"]}"'
    state = State(document["version"], Content(document["title"], document["summary"]))
    return Answer(answer.status_code, state)
