"""Stop a service in the midst of its work: twenty requests under way, fifty streams open, others still coming.

The driver knows the service by its address and by how it is stopped and started, be it a process or a container.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg

from tests.keys import bearer
from tests.prove.follow import Follower, read_cursors
from tests.prove.http1 import Connection, Whole, ask

TIMELINE = "/v1/timelines/drained"
EVENTS = f"{TIMELINE}/events"
CHANGES = f"{TIMELINE}/changes"
STREAMS = 50
WRITES, BATCHES, EXPORTS, BODIES = 14, 2, 2, 2  # twenty requests under way
KEPT = 10
EXPORTED_EVENTS, SUMMARY = 800, "x" * 8_000  # more than the system takes for a client that does not read
HELD_SECONDS = 1.5
BROKEN = (ConnectionError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Target:
    """A service: where it listens, a key to it, its database, and how it is told to stop, waited for, and started.

    `wait` gives the exit code; `start` gives the address at which it listens then. Both may take their time.
    """

    base: str
    key: str
    database_url: str
    stop: Callable[[], None]
    wait: Callable[[], int]
    start: Callable[[], str]


@dataclass
class Drained:
    """What became of all of them."""

    code: int = -1
    seconds: float = 0.0
    under_way: Counter[str] = field(default_factory=Counter)
    newcomers: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        counts = {"requests under way": self.under_way, "newcomers": self.newcomers, "kept connections": self.kept}
        told = [f"{name}: {dict(found)}" for name, found in {**counts, "streams": self.streams}.items()]
        return f"ended with {self.code} after {self.seconds:.1f} s; {'; '.join(told)}"


async def drain(target: Target) -> Drained:
    """Put the service to work, stop it, and tell what became of the work."""
    found = Drained()
    headers = bearer(target.key)
    await _prepare(target.base, headers)
    followers = [Follower(CHANGES) for _ in range(STREAMS)]
    async with asyncio.TaskGroup() as group:
        for one in followers:
            group.create_task(one.follow(target.base))
        await asyncio.gather(*(one.opened.wait() for one in followers))
        for number in range(5):
            await _create(await Connection.open(target.base), headers, f"before {number}")
        idle = await Connection.open(target.base)
        await idle.ask("GET", "/health/live")
        stopped, gone = asyncio.Event(), asyncio.Event()
        with psycopg.connect(target.database_url) as holder:
            under_way = await _under_way(group, target.base, headers, stopped, holder, found)
            kept = [group.create_task(_keep_asking(target.base, found)) for _ in range(KEPT)]
            await asyncio.sleep(0.5)
            assert not any(one.done() for one in under_way), "they are not under way any more"
            began = time.monotonic()
            target.stop()
            stopped.set()
            group.create_task(_come_anew(target.base, gone, found))
            await asyncio.sleep(HELD_SECONDS)
            holder.rollback()
        found.code = await asyncio.to_thread(target.wait)
        found.seconds = time.monotonic() - began
        gone.set()
        found.kept["idle, ended" if await idle.ends() else "idle, not ended"] += 1
        idle.close()
        await asyncio.gather(*kept)
    base = await asyncio.to_thread(target.start)
    truth = await read_cursors(base, CHANGES, followers[0].start)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for one in followers:
            group.create_task(_resume(one, base, truth, found))
    return found


async def _prepare(base: str, headers: dict[str, str]) -> None:
    made = await ask(base, "POST", "/v1/timelines", headers=headers, body={"slug": "drained", "title": "Drained"})
    assert made.status == 201, made.body
    for _ in range(0, EXPORTED_EVENTS, 100):
        made = await ask(base, "POST", f"{EVENTS}:batch", headers=headers, body=_batch(100, SUMMARY))
        assert made.status == 200, made.body


def _body(title: str, summary: str = "") -> dict[str, str]:
    return {"title": title, "summary": summary, "when": "2013-02", "status": "planned"}


def _batch(count: int, summary: str) -> dict[str, object]:
    return {"operations": [{"operation": "create", "body": _body(str(n), summary)} for n in range(count)]}


async def _create(connection: Connection, headers: dict[str, str], title: str) -> Whole:
    keyed = headers | {"Idempotency-Key": str(uuid4())}
    made = await connection.ask("POST", EVENTS, headers=keyed, body=_body(title))
    connection.close()
    return made


async def _under_way(
    group: asyncio.TaskGroup,
    base: str,
    headers: dict[str, str],
    stopped: asyncio.Event,
    holder: psycopg.Connection,
    found: Drained,
) -> list[asyncio.Task[None]]:
    """Have requests begun that cannot end yet: writes that wait for a lock, exports and bodies that take their time."""

    async def export(begun: asyncio.Event) -> None:
        connection = await Connection.open(base, limit=10_000)
        await connection.send("GET", EVENTS, headers={"Accept": "application/x-ndjson"})
        head = await connection.head()
        lines = 0
        async for part in connection.parts(head):
            lines += part.count(b"\n")
            begun.set()
            await (asyncio.sleep(0.05) if stopped.is_set() else stopped.wait())
        found.under_way["whole exports"] += lines >= EXPORTED_EVENTS
        connection.close()

    async def write(number: int) -> None:
        made = await _create(await Connection.open(base), headers, f"meanwhile {number}")
        found.under_way[f"writes {made.status}"] += 1

    async def write_slowly() -> None:
        connection = await Connection.open(base)
        rest = await connection.send("POST", EVENTS, headers=headers, body=_body("slowly"), withheld_bytes=5)
        await stopped.wait()
        await asyncio.sleep(1)
        await connection.send_rest(rest)
        found.under_way[f"slow bodies {(await connection.answer()).status}"] += 1
        connection.close()

    async def write_many() -> None:
        made = await ask(base, "POST", f"{EVENTS}:batch", headers=headers, body=_batch(20, ""))
        found.under_way[f"batches {made.status}"] += 1

    exporting = [asyncio.Event() for _ in range(EXPORTS)]
    tasks = [group.create_task(export(begun)) for begun in exporting]
    await asyncio.gather(*(begun.wait() for begun in exporting))
    holder.execute("LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE")
    tasks += [group.create_task(write(number)) for number in range(WRITES)]
    tasks += [group.create_task(write_slowly()) for _ in range(BODIES)]
    tasks += [group.create_task(write_many()) for _ in range(BATCHES)]
    return tasks


async def _keep_asking(base: str, found: Drained) -> None:
    """Ask again and again on one connection, until told that it ends; then it must end."""
    connection = await Connection.open(base)
    try:
        while not (await connection.ask("GET", "/health/live")).head.is_last:  # noqa: ASYNC110  # it is what is tried
            await asyncio.sleep(0.05)
        found.kept["told and ended" if await connection.ends() else "told and not ended"] += 1
    except BROKEN:
        found.kept["broken"] += 1
    finally:
        connection.close()


async def _come_anew(base: str, gone: asyncio.Event, found: Drained) -> None:
    """Connect again and again: whoever gets through must be answered.

    The system completes connections by itself: those that nobody has accepted when the listener closes are reset, which
    is to be refused, a moment later.
    """
    broken = 0
    while not gone.is_set():
        outcome = await _try_once(base)
        if outcome == "broken":
            broken += 1
        else:
            found.newcomers["refused as the listener closed" if outcome == "refused" else "broken"] += broken
            found.newcomers[outcome] += 1
            broken = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await gone.wait()


async def _try_once(base: str) -> str:
    try:
        connection = await Connection.open(base)
    except ConnectionRefusedError:
        return "refused"
    try:
        answer = await connection.ask("GET", "/health/live")
    except BROKEN:
        return "broken"
    finally:
        connection.close()
    return "answered, last" if answer.head.is_last else "answered"


async def _resume(one: Follower, base: str, truth: list[str], found: Drained) -> None:
    """Go on where a stream ended, until all is seen that there is."""
    found.streams["ended" if (one.ends, one.cuts) == (1, 0) else "cut"] += 1
    assert len(one.seen) >= 5, "it has seen nothing before"
    rest = asyncio.create_task(one.follow(base))
    while len(one.seen) < len(truth) and not rest.done():  # noqa: ASYNC110  # no event
        await asyncio.sleep(0.05)
    rest.cancel()
    await asyncio.wait([rest])
    found.streams["resumed without a gap" if one.seen == truth else "with a gap"] += 1
