"""The README's program that mirrors a timeline, as it stands there: killed again and again, and whole in the end."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.keys import ADMIN, bearer
from tests.live import asking
from tests.live.service import ROOT, running

KILLS = 6
WRITERS = 3
DEADLINE_SECONDS = 30
LINES = 30

Mirror = dict[str, Any]


def program() -> str:
    """Take the program out of the README: its one block of Python that keeps a mirror."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = (one for one in blocks if "sqlite3" in one)
    return str(block)


def read_mirror(file: Path) -> Mirror:
    with sqlite3.connect(file, timeout=30) as kept:
        return {str(event): json.loads(document) for event, document in kept.execute("SELECT * FROM event")}


def write(timeline: str, stop: threading.Event) -> None:
    """Create, amend and delete events, without a pause."""
    with asking.client(headers=bearer(ADMIN)) as http:
        events: list[tuple[str, str]] = []
        while not stop.is_set():
            dice = random.random()  # noqa: S311  # chance is all that is asked of it
            if not events or dice < 0.4:
                body = {"title": str(dice), "when": "2013-02", "status": "planned"}
                answer = http.post(f"{timeline}/events", json=body)
                address = f"{timeline}/events/{answer.json()['id']}"
            else:
                address, tag = events.pop(random.randrange(len(events)))  # noqa: S311
                if dice < 0.6:
                    http.delete(address, headers={"If-Match": tag}).raise_for_status()
                    continue
                answer = http.patch(address, json={"title": str(dice)}, headers={"If-Match": tag})
            events.append((address, answer.raise_for_status().headers["ETag"]))


def wait_for_mirror(timeline: str, file: Path) -> None:
    """Wait until the mirror is what the list of events is."""
    lines = asking.get(f"{timeline}/events", params={"format": "ndjson"}).text.splitlines()
    listed = {event["id"]: event for event in map(json.loads, lines)}
    assert listed
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (mirror := read_mirror(file)) != listed:
        assert time.monotonic() < deadline, (len(mirror), len(listed))
        time.sleep(0.1)


def test_the_follower_in_the_readme_survives_being_killed(tmp_path: Path, database_url: str) -> None:
    source, file = tmp_path / "follow.py", tmp_path / "mirror.sqlite"
    source.write_text(program())
    assert len([line for line in program().splitlines() if line.strip()]) <= LINES
    with running(tmp_path, database_url=database_url, seed="false") as service:
        made = {"slug": "mirrored", "title": "Mirrored"}
        asking.post(f"{service.base}/v1/timelines", json=made, headers=bearer(ADMIN)).raise_for_status()
        timeline = f"{service.base}/v1/timelines/mirrored"

        def follow() -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, source, timeline, file])

        stop = threading.Event()
        writers = [threading.Thread(target=write, args=[timeline, stop]) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        for _ in range(KILLS):
            with follow() as follower:
                time.sleep(random.uniform(0.2, 1.5))  # noqa: S311
                assert follower.poll() is None, "it ended by itself"
                follower.kill()
        with follow() as follower:
            stop.set()
            for writer in writers:
                writer.join()
            wait_for_mirror(timeline, file)
            # another life of the database: it starts again by itself, though nobody tells it what went
            with psycopg.connect(database_url) as connection:
                connection.execute("UPDATE feed SET epoch = epoch + 1, token = gen_random_uuid()")
                connection.execute("DELETE FROM change")
            stop.clear()
            writer = threading.Thread(target=write, args=[timeline, stop])
            writer.start()
            time.sleep(1.5)
            stop.set()
            writer.join()
            wait_for_mirror(timeline, file)
            assert follower.poll() is None
            follower.kill()
