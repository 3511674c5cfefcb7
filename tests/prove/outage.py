"""Take a service's database away for a while, in the midst of its work, and give it back.

The driver knows the service by its address, and the outage by how it begins and ends.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from tests.keys import bearer
from tests.prove.follow import Follower, read_cursors
from tests.prove.http1 import Whole, ask

TIMELINE = "/v1/timelines/outage"
EVENTS = f"{TIMELINE}/events"
CHANGES = f"{TIMELINE}/changes"
WRITERS, READERS, FOLLOWERS = 8, 4, 5
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 2.0
PATIENCE_SECONDS = 60.0  # for whatever must come about; how long it took is told
REFUSED = 503


@dataclass
class Suffered:
    """What clients saw: how long they waited at most, in seconds, and how everything was again."""

    refusals: Counter[str] = field(default_factory=Counter)
    notice: float = 0.0
    longest_refusal: float = 0.0
    longest_liveness: float = 0.0
    liveness: Counter[int] = field(default_factory=Counter)
    readiness: Counter[int] = field(default_factory=Counter)
    recovery: dict[str, float] = field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    streams_with_gaps: int = 0
    streams_cut: int = 0

    def __str__(self) -> str:
        back = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.recovery.items())
        return (
            f"{dict(self.refusals)}; the longest wait for a refusal {self.longest_refusal:.2f} s; "
            f"noticed after {self.notice:.1f} s; "
            f"live {dict(self.liveness)}, after {self.longest_liveness:.2f} s at most; ready {dict(self.readiness)}; "
            f"back: {back}; {self.acknowledged} writes acknowledged, {self.lost} lost, {self.doubled} doubled; "
            f"streams: {self.streams_cut} cut, {self.streams_with_gaps} with gaps"
        )


class Outage:
    """One outage, and the clients that suffer it."""

    def __init__(self, base: str, key: str) -> None:
        self._base = base
        self._headers = bearer(key)
        self.found = Suffered()
        self._began = self._gone = self._noticed = self._ending = self._ended = float("inf")
        self._titles: set[str] = set()

    async def suffer(self, begin: Callable[[], None], end: Callable[[], None], seconds: float) -> Suffered:
        """Work, go without the database for so long, and work again; then compare what was told with what is there."""
        made = await self._ask("POST", "/v1/timelines", {"slug": "outage", "title": "Outage"})
        assert made.status == 201, made.body
        followers = [Follower(CHANGES) for _ in range(FOLLOWERS)]
        working = asyncio.Event()
        working.set()
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(one.go_on(self._base)) for one in followers]
            await asyncio.gather(*(one.opened.wait() for one in followers))
            work = [group.create_task(self._write(number, working)) for number in range(WRITERS)]
            work += [group.create_task(self._read(working)) for _ in range(READERS)]
            work += [group.create_task(self._look(path, working)) for path in ("/health/live", "/health/ready")]
            await asyncio.sleep(BEFORE_SECONDS)
            await _until(lambda: len(self._titles) > WRITERS)
            self._began = time.monotonic()
            await asyncio.to_thread(begin)
            self._gone = time.monotonic()
            await asyncio.sleep(seconds)
            await _until(lambda: bool(self.found.refusals and self.found.liveness and self.found.readiness))
            self._ending = time.monotonic()
            await asyncio.to_thread(end)
            self._ended = time.monotonic()
            await _until(lambda: len(self.found.recovery) == len(_BACK))
            await asyncio.sleep(AFTER_SECONDS)
            working.clear()
            await asyncio.wait(work)
            await self._compare(followers)
            for one in following:
                one.cancel()
        return self.found

    async def _compare(self, followers: list[Follower]) -> None:
        there: Counter[str] = Counter()
        listed = await ask(self._base, "GET", EVENTS, headers={"Accept": "application/x-ndjson"})
        for line in listed.body.splitlines():
            there[json.loads(line)["title"]] += 1
        self.found.acknowledged = len(self._titles)
        self.found.lost = len(self._titles - there.keys())
        self.found.doubled = sum(count > 1 for count in there.values())
        truth = await read_cursors(self._base, CHANGES, followers[0].start)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(len(one.seen) < len(truth) for one in followers) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self.found.streams_with_gaps = sum(one.seen != truth for one in followers)
        self.found.streams_cut = sum(one.cuts for one in followers)

    async def _write(self, number: int, working: asyncio.Event) -> None:
        """Write event after event, each under a key until it is acknowledged."""
        for count in itertools.count():
            title, key = f"writer {number}, event {count}", str(uuid4())
            body = {"title": title, "when": "2013", "status": "planned"}
            while True:
                if not working.is_set():
                    return
                made = await self._ask("POST", EVENTS, body, {"Idempotency-Key": key})
                self._note("writes", made.status, 201)
                if made.status == 201:
                    break
                await asyncio.sleep(0.1)
            self._titles.add(title)
            await asyncio.sleep(0.02)

    async def _read(self, working: asyncio.Event) -> None:
        while working.is_set():
            self._note("reads", (await self._ask("GET", f"{EVENTS}?limit=5")).status, 200)
            await asyncio.sleep(0.05)

    async def _look(self, path: str, working: asyncio.Event) -> None:
        """Ask how it does, again and again."""
        seen = self.found.liveness if path == "/health/live" else self.found.readiness
        while working.is_set():
            asked = time.monotonic()
            status = (await ask(self._base, "GET", path)).status
            now = time.monotonic()
            if path == "/health/live":
                self.found.longest_liveness = max(self.found.longest_liveness, now - asked)
            else:
                self._note("ready", status, 200)
                self._notice(status, asked, now)
            # it is back sooner than whoever gives it back has said so
            if self._noticed < asked and now < self._ending:
                seen[status] += 1
            await asyncio.sleep(0.05)

    async def _ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Whole:
        """Ask; a refusal must be a problem that says when to come again, and must not be long in coming."""
        asked = time.monotonic()
        answer = await ask(self._base, method, path, headers=self._headers | (headers or {}), body=body)
        if answer.status == REFUSED:
            fields = answer.head.headers
            assert fields["content-type"] == "application/problem+json", answer
            assert int(fields["retry-after"]) > 0
            self.found.refusals[f"503 {answer.json()['detail']}"] += 1
            # who waited already when it went away waits from then on
            waited = time.monotonic() - (max(asked, self._began) if self._began < time.monotonic() else asked)
            self.found.longest_refusal = max(self.found.longest_refusal, waited)
        else:
            assert answer.status < 300, answer
        return answer

    def _notice(self, status: int, asked: float, now: float) -> None:
        """Note when it is first told that the database is away: it takes a moment to be noticed."""
        if status == REFUSED and self._gone < asked and now < self._noticed:
            self._noticed = now
            self.found.notice = now - self._began

    def _note(self, what: str, status: int, wanted: int) -> None:
        """Note how long after the end of the outage something succeeds for the first time."""
        now = time.monotonic()
        if status == wanted and self._ended < now:
            self.found.recovery.setdefault(what, now - self._ended)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110  # several events
            await asyncio.sleep(0.05)


_BACK = ("writes", "reads", "ready")
