"""The plans of what the API really runs: none reads much more than it answers, whatever is asked.

PostgreSQL's own auto_explain tells the plan of each statement that a page or a count runs, as it was executed.
Every question is asked on a fresh plan for its values, and on a prepared statement's generic plan.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from bench.loading import load
from bench.questions import Question, questions
from bench.sample import make_tasks
from service.store.adapters import register
from service.store.counting import Counted, count_events
from service.store.paging import read_page
from service.store.query import EventQuery, owner
from service.store.selection import Shape, values_of
from service.store.statement import Statement
from service.store.stream import SOONEST, merged_walks
from tests.conftest import fresh_database

EVENTS = 20_000
CALLER = owner("test")
Mode = Literal["force_custom_plan", "force_generic_plan"]
QUESTIONS = {question.name: question for question in questions()}
# Planned for their values always, since these decide which plan is good.
VALUES_DECIDE = {
    name for name, question in QUESTIONS.items() if question.query.text or question.query.sort == "-recorded"
}
# What is ranked must all be seen, and here it is nearly half of all events.
RANKS_MANY = "common word, by relevance"
# Two filters that are both common: on so few rows the planner may as well read all of one, as its random sample has
# it. What it prepares is held to little all the same.
SAMPLE_DECIDES = {"common actor, common place"}
# Nothing here is selective: PostgreSQL may as well count some of the matches as they lie.
NOTHING_IS_RARE = {"common word", "common word, a month", "common word, common actor"}

BIG_TABLES = {"event", "event_participant", "event_topic", "claim"}
# What each index must be asked for, lest it be read from end to end.
SOUGHT = {
    "event_start_idx": "reach",
    "event_recorded_idx": "timeline_id",
    "event_search_idx": "search",
    "event_status_start_idx": "status",
    "event_kind_start_idx": "kind",
    "event_place_start_idx": "place",
    "event_participant_actor_start_idx": "actor",
    "event_topic_topic_start_idx": "topic",
    "claim_source_start_idx": "source",
}
# The rows that a page of 50 may touch: a thousand for each filter to find the narrowest, and a few walks' worth.
MOST_ROWS = 4_000


@pytest.fixture(scope="module")
def loaded(postgres: str, template: str) -> Iterator[str]:
    """Answer the URL of a database with made-up events."""
    with fresh_database(postgres, template) as url:
        load(url, EVENTS, processes=1)
        yield url


class Watched:
    """A connection that keeps the plans of what it runs."""

    def __init__(self, url: str, mode: Mode) -> None:
        self.url = url
        self.mode = mode
        self.plans: list[dict[str, Any]] = []

    async def __aenter__(self) -> AsyncConnection[Any]:
        self._connection = await psycopg.AsyncConnection.connect(
            self.url, autocommit=True, prepare_threshold=0, options="-c TimeZone=UTC -c jit=off"
        )
        register(self._connection)
        self._connection.add_notice_handler(self._take)
        for setting in (
            "LOAD 'auto_explain'",
            "SET auto_explain.log_min_duration = 0",
            "SET auto_explain.log_analyze = on",
            "SET auto_explain.log_timing = off",
            "SET auto_explain.log_format = json",
            f"SET plan_cache_mode = {self.mode}",
            "SET client_min_messages = log",
        ):
            await self._connection.execute(setting)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    def _take(self, notice: psycopg.errors.Diagnostic) -> None:
        words = notice.message_primary or ""
        found = re.search(r"plan:\s*(\{.*)", words, re.DOTALL)
        if found:
            self.plans.append(json.loads(found[1])["Plan"])


def plans_of_page(url: str, question: Question, mode: Mode) -> list[dict[str, Any]]:
    """Read a page, and answer the plans of all statements that this took."""
    watched = Watched(url, mode)

    async def ask() -> None:
        async with watched as connection:
            await read_page(connection, question.query, CALLER, limit=50, after=question.after)

    asyncio.run(ask())
    assert watched.plans
    return watched.plans


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all nodes of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)


def scans_of(plans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List the nodes that were executed, not only planned, and read a table or an index."""
    nodes = [node for plan in plans for node in nodes_of(plan)]
    return [node for node in nodes if node["Node Type"].endswith("Scan") and node.get("Actual Loops")]


def rows_of(scan: dict[str, Any]) -> float:
    """Count the rows that a scan touched, those that it then refused included."""
    removed = sum(scan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return float((scan["Actual Rows"] + removed) * scan["Actual Loops"])


def check_scans(name: str, plans: list[dict[str, Any]]) -> None:
    """Hold every scan of a big table to a condition that narrows it, and all of them to few rows."""
    scans = scans_of(plans)
    for scan in scans:
        table = scan.get("Relation Name")
        if name not in NOTHING_IS_RARE:
            assert scan["Node Type"] != "Seq Scan" or table not in BIG_TABLES, scan
        index = scan.get("Index Name", "")
        if index in SOUGHT or (index.endswith("_pkey") and table in BIG_TABLES):
            assert SOUGHT.get(index, "event_id") in scan.get("Index Cond", ""), scan
    touched = [(scan["Node Type"], scan.get("Index Name"), rows_of(scan)) for scan in scans]
    assert sum(rows for *_, rows in touched) <= MOST_ROWS, touched


@pytest.mark.parametrize("name", sorted(QUESTIONS.keys() - {RANKS_MANY} - SAMPLE_DECIDES))
def test_a_page_planned_for_its_values_reads_little(loaded: str, name: str) -> None:
    check_scans(name, plans_of_page(loaded, QUESTIONS[name], "force_custom_plan"))


@pytest.mark.parametrize("name", sorted(QUESTIONS.keys() - VALUES_DECIDE))
def test_a_page_of_a_prepared_statement_reads_little(loaded: str, name: str) -> None:
    check_scans(name, plans_of_page(loaded, QUESTIONS[name], "force_generic_plan"))


SELECTIVE = sorted(name for name in QUESTIONS if name.startswith("rare ") and "deep" not in name)


@pytest.mark.parametrize("how", ["estimated", "exact"])
@pytest.mark.parametrize("name", SELECTIVE)
def test_a_count_of_the_few_reads_little(loaded: str, name: str, how: Literal["estimated", "exact"]) -> None:
    query = replace(QUESTIONS[name].query, sort="date")
    watched = Watched(loaded, "force_custom_plan")

    async def count() -> Counted | None:
        async with watched as connection:
            return await count_events(connection, query, CALLER, how)

    assert asyncio.run(count()) is not None
    check_scans(name, watched.plans)


def test_the_plans_that_are_read_are_those_of_pages(loaded: str) -> None:
    """A page of everything that is read without an index is seen: the other tests would pass on nothing else."""
    watched = Watched(loaded, "force_custom_plan")

    async def ask() -> None:
        async with watched as connection:
            await connection.execute("SELECT document FROM event ORDER BY title LIMIT 50")

    asyncio.run(ask())
    with pytest.raises(AssertionError, match="Seq Scan"):
        check_scans("", watched.plans)


def test_the_benchmark_asks_what_the_service_asks(loaded: str) -> None:
    with psycopg.connect(loaded) as connection:
        for task in make_tasks(loaded):
            assert task.paths
            for statement in task.statements[:5]:
                # counted, since psycopg reads no instant before year 1
                counted = sql.SQL("SELECT count(*) FROM ({}) AS asked").format(sql.SQL(statement.rstrip("; \n")))
                assert connection.execute(counted).fetchone() != (0,), task.name


@pytest.mark.parametrize("descending", [False, True])
def test_an_export_sorts_nothing(loaded: str, descending: bool) -> None:  # noqa: FBT001  # drawn
    """Or the database gathered all events, millions perhaps, before it gave the first."""
    query = EventQuery("bench", sort="-date" if descending else "date")
    statement = merged_walks(Shape.of(query))
    plan = cursor_plan(loaded, statement, values_of(query, CALLER))
    assert "Merge Append" in plan
    assert "Sort  (" not in plan
    assert "Seq Scan" not in plan


def cursor_plan(url: str, statement: Statement, values: Mapping[str, object]) -> str:
    with psycopg.connect(url) as connection:
        register(connection)
        connection.execute(SOONEST)
        rows = connection.execute(f"EXPLAIN DECLARE x CURSOR FOR {statement.sql}", {**statement.fixed, **values})
        return "\n".join(row[0] for row in rows.fetchall())
