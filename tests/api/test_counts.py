"""Counts that could not be had in time: they are estimates, and say so."""

from __future__ import annotations

import psycopg
import pytest

from tests.client import Client, connected
from tests.factories import make_event, make_timeline

EVENTS = 8
# Every event that is looked at takes its time: all of them more than half of a statement's, a page of one far less.
SLOW = """
CREATE FUNCTION slow(event_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE LEAKPROOF COST 1000000
    AS 'BEGIN PERFORM pg_sleep(0.1); RETURN true; END';
ALTER TABLE event RENAME TO event_kept;
CREATE VIEW event AS SELECT * FROM event_kept WHERE slow(event_id);
"""


@pytest.fixture(scope="module")
def slow(module_database_url: str) -> tuple[str, str]:
    """Answer the URL of a database in which counting takes long, and the path of its events."""
    with connected(module_database_url) as client:
        events = make_timeline(client)
        for day in range(1, EVENTS + 1):
            make_event(client, events, when=f"2013-02-0{day}")
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute(SLOW)
    return module_database_url, events


@pytest.mark.one_server
@pytest.mark.parametrize("pooled", [False, True])
def test_a_count_that_takes_too_long_is_an_estimate_and_says_so(slow: tuple[str, str], pooled: bool) -> None:  # noqa: FBT001  # a parameter of the test
    url, events = slow
    way = {"direct_database_url": url} if pooled else {}
    with connected(url, statement_timeout_seconds=1.0, **way) as client:
        page = client.read(events, count="exact", limit=1)
        assert page["count_is"] == "estimated"
        assert page["count"] > 0
        assert len(page["items"]) == 1


@pytest.mark.one_server
def test_a_count_that_comes_in_time_is_exact(slow: tuple[str, str]) -> None:
    url, events = slow
    with connected(url, statement_timeout_seconds=60.0) as client:
        counted = client.read(events, count="exact", limit=1)
        assert (counted["count"], "count_is" in counted) == (EVENTS, False)


def test_an_estimate_of_many_says_that_it_is_one(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_timeline(api)
    for _ in range(3):
        make_event(api, events)
    few = api.read(events, count="estimated", limit=1)
    assert (few["count"], "count_is" in few) == (3, False)
    monkeypatch.setattr("service.store.counting.COUNTED_UP_TO", 2)
    many = api.read(events, count="estimated", limit=1)
    assert many["count"] >= 3
    assert many["count_is"] == "estimated"
    assert "count_is" not in api.read(events, limit=1)
