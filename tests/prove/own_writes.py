"""Clients that write, and read at once what they wrote, from a replica whose lag comes and goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from tests.client import Client
from tests.factories import event_body, make_timeline, path_of
from tests.replicas import ReplicaServer

WRITERS = 6
POSITION = "Dateline-Position"
PATIENCE_SECONDS = 60


@dataclass
class Seen:
    """What a client found: how often it read, how often not what it had written, with a position and without one."""

    reads: int = 0
    stale: int = 0
    stale_without: int = 0


def prove(client: Client, server: ReplicaServer, seconds: float, is_enough: Callable[[Seen], bool]) -> Seen:
    """Write and read for so long, and until enough is seen, while the replica is held up and let go at random."""
    over = threading.Event()
    events = make_timeline(client)
    found = [Seen() for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        work = [pool.submit(_hold_up, server, over)]
        work += [pool.submit(_write, client, events, over, Random(n), found[n]) for n in range(WRITERS)]  # noqa: S311
        try:
            time.sleep(seconds)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not (is_enough(_total(found)) or any(one.done() for one in work)):
                assert time.monotonic() < deadline, found
                time.sleep(0.1)
        finally:
            over.set()
        for one in work:
            one.result()
    return _total(found)


def _total(found: list[Seen]) -> Seen:
    return Seen(
        sum(one.reads for one in found),
        sum(one.stale for one in found),
        sum(one.stale_without for one in found),
    )


def _hold_up(server: ReplicaServer, over: threading.Event) -> None:
    """Stop what is replayed and go on with it, for shorter and longer than a read waits."""
    choose = Random(0)  # noqa: S311  # how long, no secret
    while not over.wait(choose.uniform(0, 0.4)):
        server.pause()
        over.wait(choose.uniform(0, 0.4))
        server.resume()


def _write(client: Client, events: str, over: threading.Event, choose: Random, seen: Seen) -> None:
    made = client.post(events, event_body(title="0"))
    event = path_of(made.json())
    while not over.is_set():
        changed = client.patch(event, {"title": str(seen.reads + 1)}, f'"{seen.reads + 1}"')
        assert changed.status_code == 200, changed.text
        position = {POSITION: changed.headers[POSITION]}
        seen.stale_without += client.get(event).content != changed.content
        kind = choose.randrange(3)
        if kind == 0:
            is_stale = client.get(event, position).content != changed.content
        elif kind == 1:
            is_stale = changed.content not in client.get(events, position, limit=200).content
        else:
            is_stale = changed.content not in client.get(events, position, format="ndjson").content
        seen.reads += 1
        seen.stale += is_stale
