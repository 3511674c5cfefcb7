"""The feed misses nothing: many writers, followers killed at random, foreign transactions that hold the horizon up.

`python -m tests.prove.feed [SECONDS]` runs the proof on a throwaway PostgreSQL and prints what it found.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg

from service.store.migration import migrate
from service.store.query import timeline_id_of
from tests.keys import ADMIN, bearer, insert_key
from tests.live.service import ROOT, Service, running
from tests.servers import throwaway_postgres

TIMELINE = "followed"
WRITERS = 8
FOLLOWERS = 3
PATIENCE_SECONDS = 60
DEADLINE_SECONDS = 60
EVENTS_PER_WRITER = 20


@dataclass
class Written:
    """What writers were told is done: events and their states, and what a follower by number would have lost."""

    states: set[tuple[str, int]] = field(default_factory=set)
    lost_by_number: int = 0


@dataclass
class Followed:
    """What one follower has seen, in its order."""

    mode: str
    file: Path
    kills: int = 0

    def seen(self) -> list[tuple[str, str, int]]:
        """Give cursor, event and state of each change."""
        with sqlite3.connect(self.file, timeout=30) as kept:
            rows = kept.execute("SELECT cursor, event, state FROM seen ORDER BY number").fetchall()
        return [(str(cursor), str(event), int(state)) for cursor, event, state in rows]


@dataclass
class Finding:
    """How one follower did: of all changes, in commit order."""

    mode: str
    kills: int
    changes: int
    missed: int
    out_of_order: int
    duplicates: int


def prove(folder: Path, server: str, url: str, seconds: float) -> tuple[list[Finding], Written]:
    """Write and follow for so long, then compare.

    `server` is the URL of another database of the cluster, `url` that of the service's own.
    """
    written = Written()
    stop = threading.Event()
    with running(folder, database_url=url, pool_size=12, seed="false") as service:
        _send(service, "POST", "/v1/timelines", {"slug": TIMELINE, "title": "Followed"})
        followers = [
            Followed(mode, folder / f"{mode}-{number}.sqlite")
            for mode in ("pages", "stream")
            for number in range(FOLLOWERS)
        ]
        tasks: list[Callable[[], None]] = [lambda: write(service, stop, written) for _ in range(WRITERS)]
        tasks += [lambda: write_slowly(url, stop, written) for _ in range(2)]
        tasks += [lambda: delay(url, stop), lambda: delay(server, stop), lambda: read_by_number(url, stop, written)]
        tasks += [lambda: delay_long(server, stop, seconds)]
        with following(followers, f"{service.base}/v1/timelines/{TIMELINE}/changes", stop):
            threads = [threading.Thread(target=task) for task in tasks]
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            stop.set()
            for thread in threads:
                thread.join()
            truth = read_truth(url)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while any(len(one.seen()) < len(truth) for one in followers) and time.monotonic() < deadline:
                time.sleep(0.2)
            time.sleep(0.5)  # for what comes too often
    assert written.states <= set(truth), "a write that was acknowledged is not in the feed's own table"
    return [judge(one, truth) for one in followers], written


def judge(follower: Followed, truth: list[tuple[str, int]]) -> Finding:
    """Compare what a follower saw with all changes in commit order."""
    seen = follower.seen()
    changes = [(event, state) for _, event, state in seen]
    place = {change: number for number, change in enumerate(truth)}
    order = [place[one] for one in changes]
    return Finding(
        follower.mode,
        follower.kills,
        len(truth),
        missed=len(set(truth) - set(changes)),
        out_of_order=sum(1 for one, next_one in itertools.pairwise(order) if next_one < one),
        duplicates=len(seen) - len({cursor for cursor, _, _ in seen}),
    )


def read_truth(url: str) -> list[tuple[str, int]]:
    """Read all changes in the order of commits, straight from the table."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT event_id::text, state FROM change WHERE timeline_id = %s ORDER BY epoch, transaction_id, sequence",
            [timeline_id_of(TIMELINE)],
        ).fetchall()
    return [(str(event), int(state)) for event, state in rows]


@contextmanager
def following(followers: list[Followed], feed: str, stop: threading.Event) -> Iterator[None]:
    """Run the followers, kill one at random again and again until told to stop, and start it anew."""

    def start(follower: Followed) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-m", "tests.prove.follower", follower.mode, feed, str(follower.file)]
        return subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"]})

    processes = {follower.file: start(follower) for follower in followers}

    def kill() -> None:
        while not stop.wait(random.uniform(0.1, 0.6)):  # noqa: S311  # chance is all that is asked of it
            victim = random.choice(followers)  # noqa: S311
            process = processes[victim.file]
            assert process.poll() is None, f"a follower of {victim.mode} ended by itself"
            process.send_signal(signal.SIGKILL)
            process.wait()
            victim.kills += 1
            processes[victim.file] = start(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        stop.set()
        killer.join()
        for process in processes.values():
            process.kill()
            process.wait()


def write(service: Service, stop: threading.Event, written: Written) -> None:
    """Create, amend, delete and revive events of one's own over HTTP, and note what was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE_SECONDS)
    events: dict[str, int] = {}
    deleted: dict[str, int] = {}
    while not stop.is_set():
        dice = random.random()  # noqa: S311
        headers = {"Content-Type": "application/json"} | bearer(ADMIN)
        body: dict[str, object] | None = {"title": str(dice), "when": "2013-02", "status": "planned"}
        if len(events) < EVENTS_PER_WRITER or dice < 0.2:
            method, event, states = "PUT", str(uuid4()), events
            if deleted and dice < 0.1:
                event, version = deleted.popitem()
                states[event] = version
        else:
            event = random.choice(list(events))  # noqa: S311
            headers["If-Match"] = f'"{events[event]}"'
            method, states = "PATCH", events
            if dice < 0.3:
                method, body, states = "DELETE", None, deleted
                deleted[event] = events.pop(event)
            else:
                body = {"title": str(dice)}
        path = f"/v1/timelines/{TIMELINE}/events/{event}"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status < 300, (method, answer.status, said)
        states[event] = states.get(event, 0) + 1
        written.states.add((event, states[event]))
    connection.close()


def write_slowly(url: str, stop: threading.Event, written: Written) -> None:
    """Take a number in the feed early, and commit late."""
    with psycopg.connect(url) as connection:
        while not stop.is_set():
            event = str(uuid4())
            connection.execute(
                "INSERT INTO change (timeline_id, epoch, transaction_id, operation, event_id, state, version,"
                " recorded_at)"
                " SELECT %s, epoch, pg_current_xact_id()::text::bigint, 'amended', %s, 1, 1, now() FROM feed",
                [timeline_id_of(TIMELINE), event],
            )
            time.sleep(random.uniform(0, 0.2))  # noqa: S311
            connection.commit()
            written.states.add((event, 1))


def delay(url: str, stop: threading.Event) -> None:
    """Keep transactions under way that have nothing to do with the feed, in whatever database of the cluster."""
    with psycopg.connect(url) as connection:
        while not stop.is_set():
            connection.execute("SELECT pg_current_xact_id()")
            stop.wait(random.uniform(0, 1))  # noqa: S311
            connection.rollback()


def delay_long(url: str, stop: threading.Event, seconds: float) -> None:
    """Keep one transaction under way for half of the time: nothing can be read meanwhile, and all of it afterwards."""
    with psycopg.connect(url) as connection:
        stop.wait(seconds / 4)
        connection.execute("SELECT pg_current_xact_id()")
        stop.wait(seconds / 2)
        connection.rollback()


def read_by_number(url: str, stop: threading.Event, written: Written) -> None:
    """Follow by the sequence's number alone, as a naive follower would: this load must lose changes that way."""
    seen, last = 0, 0
    with psycopg.connect(url, autocommit=True) as connection:

        def read() -> list[int]:
            rows = connection.execute("SELECT sequence FROM change WHERE sequence > %s ORDER BY sequence", [last])
            return [int(row[0]) for row in rows.fetchall()]

        while not stop.wait(0.02):
            numbers = read()
            seen += len(numbers)
            last = numbers[-1] if numbers else last
        time.sleep(1)
        seen += len(read())
        row = connection.execute("SELECT count(*) FROM change").fetchone()
    assert row is not None
    written.lost_by_number = int(row[0]) - seen


def _send(service: Service, method: str, path: str, body: object) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE_SECONDS)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"} | bearer(ADMIN))
    answer = connection.getresponse()
    assert answer.status < 300, answer.read()
    connection.close()


def main() -> int:
    """Run the proof, print what it found, and fail where a follower did."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with throwaway_postgres() as server, tempfile.TemporaryDirectory(prefix="dateline-prove-") as folder:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE proof")
        url = server.replace("@/postgres?", "@/proof?")
        migrate(url)
        insert_key(url)
        findings, written = prove(Path(folder), server, url, seconds)
    for one in findings:
        sys.stdout.write(
            f"{one.mode:6}  killed {one.kills:3}  changes {one.changes:6}  missed {one.missed}"
            f"  out of order {one.out_of_order}  duplicates {one.duplicates}\n"
        )
    sys.stdout.write(f"by number alone {written.lost_by_number} would have been lost\n")
    return 1 if any(one.missed or one.out_of_order or one.duplicates for one in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
