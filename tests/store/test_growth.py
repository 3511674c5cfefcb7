"""A timeline that is grown on the server: its clones are as true as what was loaded, and questions stay as cheap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from bench import growth
from bench.cloning import multiply
from bench.events import COMMON_WORD
from bench.loading import load
from bench.questions import ALL, COMMON, MONTH, RARE, asks_for
from service.dates import Answer, Relation, parse
from service.recounting import check_histograms
from service.store import walks
from service.store.paging import PageShape, page_statement, read_page
from service.store.query import EventQuery, owner
from service.store.selection import Shape, values_of
from service.wire.date import bounds_answer
from tests.conftest import fresh_database
from tests.store.test_plans import Watched, rows_of, scans_of

EVENTS, TIMES, STATES = 600, 3, 5
CALLER = owner("test")


@pytest.fixture(scope="module")
def grown(postgres: str, template: str) -> Iterator[str]:
    """Answer the URL of a database with made-up events of some states each, and clones of them."""
    with fresh_database(postgres, template) as url:
        load(url, EVENTS, processes=1, histories=True)
        multiply(url, TIMES)
        yield url


def test_there_are_so_many_times_as_many(grown: str) -> None:
    with psycopg.connect(grown) as connection:
        for table in ("event", "event_state", "event_participant", "event_topic", "claim", "state_facet"):
            counts = connection.execute(f"SELECT count(*), count(DISTINCT event_id) FROM {table}").fetchone()  # noqa: S608
            assert counts is not None
            assert counts[0] % TIMES == counts[1] % TIMES == 0, table
        assert connection.execute("SELECT count(*) FROM event_state").fetchone() == (EVENTS * STATES * TIMES,)


def test_a_clone_is_what_its_document_says(grown: str) -> None:
    with psycopg.connect(grown) as connection:
        told = connection.execute(
            "SELECT event_id, edtf, document FROM event UNION ALL SELECT event_id, NULL, document FROM event_state"
            " WHERE document IS NOT NULL"
        ).fetchall()
        odd = connection.execute(
            "SELECT count(*) FROM event e LEFT JOIN event_state s USING (timeline_id, event_id)"
            " WHERE upper_inf(s.known) AND (s.document::text, s.start_earliest, s.end_latest) IS DISTINCT FROM"
            " (e.document::text, e.start_earliest, e.end_latest)"
        ).fetchone()
    assert odd == (0,)
    for event_id, edtf, document in told:
        assert document["id"] == str(event_id)
        assert edtf in (None, document["when"])
        assert json.loads(bounds_answer(parse(document["when"]).bounds).model_dump_json()) == document["bounds"]
    assert len({document["when"] for _, _, document in told}) > EVENTS, "whole days are moved"


def test_the_summary_of_what_was_grown_is_right(grown: str) -> None:
    assert set(check_histograms(grown).values()) == {0}


def test_few_words_lead_to_what_was_known(grown: str) -> None:
    with psycopg.connect(grown, autocommit=True) as connection:
        row = connection.execute(
            "SELECT word FROM ts_stat('SELECT search FROM event') WHERE ndoc = %s ORDER BY word LIMIT 1", [TIMES]
        ).fetchone()
    assert row is not None
    query = replace(ALL, text=row[0], known_at=1_700_000_000_000_000)
    watched = Watched(grown, "force_custom_plan")

    async def ask() -> int:
        async with watched as connection:
            return len((await read_page(connection, query, CALLER, limit=50, after=None)).documents)

    assert asyncio.run(ask()) == TIMES
    # each state is met by an index and a table, once to learn that they are few and once to read them
    assert sum(map(rows_of, scans_of(watched.plans))) <= 6 * TIMES * STATES


def lead_of(url: str, query: EventQuery) -> walks.Lead | None:
    """Choose what leads to an answer."""

    async def find() -> walks.Lead | None:
        async with Watched(url, "force_custom_plan") as connection:
            return await walks.find_lead(connection, query, Shape.of(query), values_of(query, CALLER))

    return asyncio.run(find())


@pytest.fixture
def _many_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have filters count as common that few events have."""
    monkeypatch.setattr(walks, "PROBE_LIMIT", 5)
    walks._probe.cache_clear()  # statements with the limit in them
    yield
    walks._probe.cache_clear()


@pytest.mark.usefixtures("_many_at_once")
@pytest.mark.parametrize("known_at", [None, 1_700_000_000_000_000])
def test_of_filters_that_all_have_many_the_narrowest_leads(grown: str, known_at: int | None) -> None:
    lead = lead_of(grown, replace(asks_for(ALL, kind=COMMON["kind"], status=RARE["status"]), known_at=known_at))
    assert lead is not None
    assert lead.name == "status"


@pytest.mark.usefixtures("_many_at_once")
@pytest.mark.parametrize("known_at", [None, 1_700_000_000_000_000])
def test_words_of_many_lead_where_all_that_have_them_are_sooner_gathered(grown: str, known_at: int | None) -> None:
    with psycopg.connect(grown) as connection:
        row = connection.execute(
            "SELECT word FROM ts_stat('SELECT search FROM event') WHERE ndoc BETWEEN 20 AND 150"
            " ORDER BY ndoc DESC, word"
        ).fetchone()
    assert row is not None
    lead = lead_of(grown, replace(ALL, text=row[0], known_at=known_at))
    assert lead is not None
    assert lead.name == walks.TEXT
    assert lead_of(grown, replace(ALL, text=COMMON_WORD, known_at=known_at)) is None


@pytest.mark.parametrize(
    ("query", "is_endless"),
    [
        (replace(ALL, overdue=True), False),
        (replace(MONTH, relation=Relation.BEFORE, certainty=Answer.CERTAIN), False),
        (replace(MONTH, relation=Relation.BEFORE), True),
        (replace(ALL, overdue=False), True),
    ],
)
def test_what_has_passed_is_not_looked_for_where_nothing_ends(query: EventQuery, is_endless: bool) -> None:  # noqa: FBT001  # a parameter of the test
    statement = page_statement(PageShape(Shape.of(query), is_continued=False, lead=None))
    assert ("reach = 6" in statement.sql) == is_endless


def test_the_benchmark_tells_of_both(grown: str, capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["--databases", grown, grown, "--runs", "1", "--seconds", "0", "--only", "year of old, date"])
    told = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("| a year")]
    assert told == ["a year of old, date", "a year of old, date, as known then"]
