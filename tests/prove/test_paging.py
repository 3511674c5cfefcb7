"""Walks and exports while others insert, amend and delete: each untouched event once, in order; an export is one state.

A walk by numbers of rows, as one without cursors would go, must be led astray by the same writers.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from bench.events import TIMELINE
from bench.loading import load
from service.store.query import timeline_id_of
from tests.conftest import fresh_database
from tests.keys import ADMIN, bearer
from tests.live.service import running
from tests.prove import IS_LONG
from tests.prove.paging import Key, Parameters, Stock, Walk
from tests.prove.restless import GENERATION, Restless

EVENTS, PAGE, WRITERS, WORKERS, EXPORTS = (102_041, 200, 6, 2, 10) if IS_LONG else (2_000, 100, 3, 1, 2)
# How many writes are done between two pages of a walk, at least.
BETWEEN = 4
SHOWN = 20
KNOWN_AT = "2016-01-01T00:00:00Z"
PATH = f"/v1/timelines/{TIMELINE}/events"
ORDERS = ("date", "-date")
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def loaded(postgres: str, template: str) -> Iterator[str]:
    """Answer the URL of a database with made-up events and their histories."""
    with fresh_database(postgres, template) as url:
        load(url, EVENTS, processes=2 if IS_LONG else 1, histories=True)
        yield url


async def follow(http: httpx.AsyncClient, walk: Walk, writers: Restless) -> None:
    """Read page after page, with writes between them."""
    asked = {**walk.asked, "limit": PAGE}
    while True:
        page = (await http.get(PATH, params=asked)).raise_for_status().json()
        walk.seen += [(one["id"], one["version"]) for one in page["items"]]
        if page["next"] is None:
            return
        asked["cursor"] = page["next"]
        await writers.pass_by(BETWEEN)


async def export(http: httpx.AsyncClient, walk: Walk, writers: Restless) -> set[str]:
    """Read an export line by line, with writes meanwhile; give the generations that it shows."""
    generations = set()
    async with http.stream("GET", PATH, params={**walk.asked, "format": "ndjson"}) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            event = json.loads(line)
            walk.seen.append((event["id"], event["version"]))
            if (event["summary"] or "").startswith(GENERATION):
                generations.add(event["summary"])
            if len(walk.seen) % (10 * PAGE) == 0:
                await writers.pass_by(BETWEEN)
    return generations


async def count_rows(url: str, walk: Walk, writers: Restless) -> None:
    """Walk by the number of rows that were seen already, straight in the database."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            cursor = await connection.execute(
                "SELECT event_id::text, version FROM event WHERE timeline_id = %s"
                " ORDER BY start_earliest, event_id OFFSET %s LIMIT %s",
                [timeline_id_of(TIMELINE), len(walk.seen), PAGE],
            )
            rows: list[Key] = await cursor.fetchall()
            walk.seen += rows
            if not rows:
                return
            await writers.pass_by(BETWEEN)


class Proof:
    """All that is read while others write: walks, exports with the generations that each shows, and a naive walk."""

    def __init__(self, url: str) -> None:
        stock = Stock.read(url, TIMELINE, KNOWN_AT)
        self._url = url
        # every fifth is touched; those that are shown are spread over all dates, too
        touched = [event for event, _, _ in stock.present[::5]]
        self._shown = touched[:: max(1, len(touched) // SHOWN)]
        self._touched = [event for event in touched if event not in self._shown]
        kinds = [kind for _, _, kind in stock.present]
        kind = max(set(kinds), key=kinds.count)

        def walk(what: str, asked: Parameters) -> Walk:
            return Walk(f"{what} {dict(asked)}", asked, stock.expected(asked, touched))

        chosen: list[dict[str, str]] = [{}, {"kind": kind}, {"known_at": KNOWN_AT}]
        chosen.append({"kind": kind, "known_at": KNOWN_AT})
        self.walks = [walk("walk", {**one, "sort": sort}) for one in chosen for sort in ORDERS]
        self.exports = [walk("export", one) for one in chosen for _ in range(EXPORTS)]
        self.naive = walk("naive walk", {})
        self.generations: list[set[str]] = []
        self.writes: dict[str, int] = {}

    async def run(self, base: str) -> None:
        """Write and read."""
        async with httpx.AsyncClient(base_url=base, headers=bearer(ADMIN), timeout=PATIENCE_SECONDS) as http:
            writers = Restless(http, PATH, self._touched, self._shown)
            writing = asyncio.create_task(writers.run(WRITERS))
            reading = asyncio.create_task(self._read(http, writers))
            # writers who stumble end the proof
            await asyncio.wait([writing, reading], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                await writing
            writing.cancel()
            await reading
            self.writes = dict(writers.writes)

    async def _read(self, http: httpx.AsyncClient, writers: Restless) -> None:
        await writers.pass_by(1)
        async with asyncio.TaskGroup() as group:
            group.create_task(count_rows(self._url, self.naive, writers))
            for walk in self.walks:
                group.create_task(follow(http, walk, writers))
            for one in self.exports:  # one at a time: only so many are let through
                self.generations.append(await export(http, one, writers))
                batches = writers.writes["batch"]
                await writers.pass_by(BETWEEN)
                while len(self.generations) == 1 and writers.writes["batch"] == batches:
                    await writers.pass_by(1)  # so that the next shows another generation


def test_each_untouched_event_is_seen_once_whatever_is_written(loaded: str, tmp_path: Path) -> None:
    proof = Proof(loaded)
    began = time.monotonic()
    with running(tmp_path, database_url=loaded, workers=WORKERS, seed="false") as service:
        asyncio.run(proof.run(service.base))
    naive = proof.naive.find_faults()
    sys.stdout.write(
        f"{len(proof.walks)} walks and {len(proof.exports)} exports of {len(proof.naive.expected)} untouched events in "
        f"{time.monotonic() - began:.0f} s, while there were {proof.writes}; by numbers of rows {len(naive)} faults\n"
    )
    faults = [fault for walk in (*proof.walks, *proof.exports) for fault in walk.find_faults()]
    assert faults == []
    assert all(walk.expected for walk in (*proof.walks, *proof.exports))
    assert all(len(one) <= 1 for one in proof.generations), "an export shows one state of the store"
    assert len(set[str]().union(*proof.generations)) > 1, "and others show others"
    assert proof.writes.keys() == {"insert", "amend", "delete", "batch"}
    assert naive, "the load is too tame to prove anything"


SEEN: list[Key] = [("a", 1), ("b", 2), ("c", 1)]


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (SEEN, []),
        ([("a", 1), ("x", 1), ("b", 2), ("x", 2), ("c", 1)], []),  # what is touched may come as it likes
        ([("a", 1), ("c", 1)], ["walk: missed ('b', 2)"]),
        ([("a", 1), ("b", 1), ("c", 1)], ["walk: missed ('b', 2)"]),
        ([*SEEN, ("a", 1)], ["walk: saw ('a', 1) 2 times"]),
        ([("b", 2), ("a", 1), ("c", 1)], ["walk: out of order"]),
    ],
)
def test_a_fault_of_a_walk_is_found(seen: list[Key], fault: list[str]) -> None:
    assert Walk("walk", {}, SEEN, seen).find_faults() == fault


def test_what_was_not_known_then_is_found() -> None:
    walk = Walk("walk", {"known_at": KNOWN_AT}, SEEN, [*SEEN, ("x", 1)])
    assert walk.find_faults() == ["walk: saw ('x', 1), which was not known"]


def test_what_a_walk_must_see() -> None:
    stock = Stock([("a", 2, "one"), ("b", 1, "two"), ("c", 3, "one")], [("b", 1, "one"), ("a", 1, "one")])
    assert stock.expected({"sort": "-date"}, ["b"]) == [("c", 3), ("a", 2)]
    assert stock.expected({"sort": "date", "kind": "one"}, ["a"]) == [("c", 3)]
    assert stock.expected({"kind": "one", "known_at": KNOWN_AT}, ["a"]) == [("b", 1), ("a", 1)]
