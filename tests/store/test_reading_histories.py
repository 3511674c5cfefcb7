"""What a page of changes, or of plans, reads of a timeline: about what it answers, wherever it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from bench.events import TIMELINE
from bench.loading import load
from service.dates import parse_instant
from service.store.archive import STATE_LINES
from service.store.comparison import compare_states
from service.store.plans import read_plans
from service.store.query import timeline_id_of
from service.wire.plans import PlanState
from tests.conftest import fresh_database
from tests.store.test_plans import Watched, cursor_plan

EVENTS = 5_000
# What a page of one item may touch: an index from its root for each of its walks, the event and its states.
MOST_BLOCKS = {"changes": 12, "plans": 40}
LAST = UUID(int=2**128 - 2**100)

# Each event's one state, reported a minute after that of the one before.
_STATES = """
    INSERT INTO event_state (timeline_id, event_id, version, known, reported_at, recorded_at, supersedes, author,
        document, start_earliest, start_latest, end_earliest, end_latest, every_piece, status, facets, search)
    SELECT timeline_id, event_id, version, tstzrange(instant, NULL), instant, recorded_at, false, 'someone', document,
        start_earliest, start_latest, end_earliest, end_latest, every_piece, status, '{}', ''
    FROM (SELECT *, '2020-01-01Z'::timestamptz + row_number() OVER (ORDER BY event_id) * interval '1 min' AS instant
        FROM event WHERE timeline_id = %s) e
"""


@pytest.fixture(scope="module")
def loaded(postgres: str, template: str) -> Iterator[str]:
    """Answer the URL of a database with made-up events, all of them plans but for the last that was cancelled."""
    with fresh_database(postgres, template) as url:
        load(url, EVENTS, processes=1)
        with psycopg.connect(url, autocommit=True) as connection:
            key = [timeline_id_of(TIMELINE)]
            connection.execute(_STATES, key)
            connection.execute(
                "UPDATE event SET was_planned = true, status = CASE event_id WHEN (SELECT event_id FROM event"
                " WHERE timeline_id = %s ORDER BY start_earliest DESC LIMIT 1) THEN 'cancelled' ELSE 'planned' END",
                key,
            )
            connection.execute("VACUUM (ANALYZE) event, event_state")
        yield url


def blocks_of(url: str, ask: Callable[[AsyncConnection[Any]], Awaitable[object]]) -> int:
    """Count the blocks that the one statement of a question touches."""
    watched = Watched(url, "force_custom_plan")

    async def run() -> None:
        async with watched as connection:
            await ask(connection)  # fills the catalogue's caches, which count too
            await connection.execute("SET auto_explain.log_buffers = on")
            watched.plans.clear()
            await ask(connection)

    asyncio.run(run())
    (plan,) = watched.plans
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize("minute", [1, EVENTS // 2, EVENTS * 9 // 10])
def test_a_page_of_changes_begins_where_the_one_before_ended(loaded: str, minute: int) -> None:
    start, end = parse_instant("2019-01-01T00:00:00Z"), parse_instant("2021-01-01T00:00:00Z")
    after = (parse_instant("2020-01-01T00:00:00Z") + minute * 60_000_000, LAST)

    async def ask(connection: AsyncConnection[Any]) -> None:
        assert len((await compare_states(connection, TIMELINE, start, end, limit=1, after=after)).pairs) == 1

    assert blocks_of(loaded, ask) <= MOST_BLOCKS["changes"]


@pytest.mark.parametrize("state", ["open", "overdue", "ended"])
@pytest.mark.parametrize("after", [None, "2000-01-01T00:00:00Z"])
def test_a_page_of_plans_reads_none_of_another_outcome(loaded: str, state: PlanState, after: str | None) -> None:
    async def ask(connection: AsyncConnection[Any]) -> None:
        place = None if after is None else (parse_instant(after), LAST)
        plans, _ = await read_plans(connection, TIMELINE, state, limit=1, after=place)
        assert len(plans) == 1

    assert blocks_of(loaded, ask) <= MOST_BLOCKS["plans"]


def test_an_archive_sorts_nothing(loaded: str) -> None:
    """Or the database gathered all states, millions perhaps, before it gave the first."""
    plan = cursor_plan(loaded, STATE_LINES, {"timeline_id": timeline_id_of(TIMELINE)})
    assert "Index Scan using event_state_pkey on event_state " in plan
    assert "Sort" not in plan
