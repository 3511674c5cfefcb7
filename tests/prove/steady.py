"""Clients that ask for this and that at a steady rate, whatever the answers take."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

import httpx

from tests.keys import ADMIN, bearer

_ANSWER_SECONDS = 60
_KINDS = {"page": 25, "read": 20, "known": 10, "feed": 5, "create": 25, "amend": 15}


@dataclass
class Steady:
    """What is asked of the services at these addresses, in turn, and what came of it.

    `versions` are those that writers were told of, by the event's address; `statuses` counts answers by what was asked
    and the service's number.
    """

    timeline: str
    bases: list[str]
    statuses: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    _chance: Random = field(default_factory=lambda: Random(1))  # noqa: S311  # what is asked, no secret

    @property
    def failures(self) -> list[tuple[str, int, int]]:
        """List the kinds of answers that no client should get."""
        return [one for one in self.statuses if one[2] >= 400]  # RFC 9110, section 15.5

    async def run(self, rate: float, over: asyncio.Event) -> None:
        """Ask so often a second until it is over, then wait for what is under way."""
        limits = httpx.Limits(max_connections=200)
        async with (
            httpx.AsyncClient(headers=bearer(ADMIN), limits=limits, timeout=_ANSWER_SECONDS) as http,
            asyncio.TaskGroup() as group,
        ):
            began = time.monotonic()
            for number in itertools.count():
                if over.is_set():
                    return
                group.create_task(self._ask(http, number))
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), max(0.0, began + (number + 1) / rate - time.monotonic()))

    async def _ask(self, http: httpx.AsyncClient, number: int) -> None:
        (kind,) = self._chance.choices(list(_KINDS), list(_KINDS.values()))
        service = number % len(self.bases)
        began = time.monotonic()
        try:
            answer = await self._send(http, self.bases[service], kind, list(self.versions))
        except httpx.TransportError as error:
            self.lost.append(f"{kind}: {error!r}")
            return
        self.seconds.append(time.monotonic() - began)
        self.statuses[kind, service, answer.status_code] += 1

    async def _send(self, http: httpx.AsyncClient, base: str, kind: str, events: Sequence[str]) -> httpx.Response:
        timeline = f"{base}/v1/timelines/{self.timeline}"
        year = self._chance.randrange(1990, 2020)
        if kind == "create" or (kind in ("read", "amend") and not events):
            body = {"title": f"In {year}", "when": str(year), "status": "planned", "topics": ["steady"]}
            answer = await http.post(f"{timeline}/events", json=body, headers={"Idempotency-Key": str(uuid4())})
            if answer.status_code == httpx.codes.CREATED:
                self.versions[answer.headers["Location"]] = 1
            return answer
        if kind == "amend":
            path = self._chance.choice(events)
            answer = await http.patch(base + path, json={"summary": str(uuid4())}, headers={"If-Match": "*"})
            if answer.status_code == httpx.codes.OK:
                self.versions[path] = max(self.versions[path], answer.json()["version"])
            return answer
        asked = {
            "page": f"{timeline}/events?datetime={year}",
            "read": base + (self._chance.choice(events) if events else ""),
            "known": f"{timeline}/events?datetime={year}&known_at=2024-01-01T00:00:00Z",
            "feed": f"{timeline}/changes?limit=20",
        }
        return await http.get(asked[kind])
