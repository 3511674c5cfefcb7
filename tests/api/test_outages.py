"""A database that is slow, busy, empty, or gone: 503, and all is well again when it is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from psycopg import sql

from service.store.database import Database
from tests.client import connected
from tests.conftest import database_url_of
from tests.factories import event_body, make_actor, make_event, make_timeline, path_of
from tests.waiting import wait_for_waiters, wait_until


def is_unavailable(answer: httpx.Response, name: str) -> bool:
    if answer.status_code != 503:
        return False
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["type"] == f"/problems/{name}"
    assert "psycopg" not in answer.text
    return True


@contextmanager
def locked(url: str, statement: str) -> Iterator[None]:
    """Hold what the statement locks until the block ends."""
    with psycopg.connect(url) as connection:
        connection.execute(statement)
        yield


@pytest.fixture
def patient_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whoever finds no free connection wait for longer than any test takes."""
    defaults = Database.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "wait_seconds", 60.0)


def test_a_statement_has_its_time(module_database_url: str) -> None:
    with connected(module_database_url, statement_timeout_seconds=0.2) as client:
        events = make_timeline(client)
        event = make_event(client, events)
        with locked(module_database_url, "LOCK TABLE event IN ACCESS EXCLUSIVE MODE"):
            began = time.monotonic()
            assert is_unavailable(client.get(events), "too-slow")
            assert is_unavailable(client.get(path_of(event)), "too-slow")
            assert is_unavailable(client.get(events, format="ndjson"), "too-slow")
            assert is_unavailable(client.patch(path_of(event), {"title": "New"}, "*"), "too-slow")
            assert time.monotonic() - began < 20, "each its own limit, not that of the default"
        assert client.read(path_of(event)) == event
        assert client.patch(path_of(event), {"title": "New"}, "*").status_code == 200


def test_the_time_is_that_of_the_settings(module_database_url: str) -> None:
    with connected(module_database_url, statement_timeout_seconds=30) as client:
        events = make_timeline(client)
        with ThreadPoolExecutor(1) as pool, locked(module_database_url, "LOCK TABLE event IN ACCESS EXCLUSIVE MODE"):
            waiting = pool.submit(client.get, events)
            wait_for_waiters(module_database_url)
            time.sleep(0.5)  # for longer than the limit of the test before
            assert not waiting.done()
        assert waiting.result().status_code == 200


@pytest.mark.usefixtures("patient_pool")
def test_a_slow_database_is_not_a_lost_one(module_database_url: str) -> None:
    """Every connection waits for longer than it takes to notice that a database hangs."""
    with connected(module_database_url, pool_size=2, statement_timeout_seconds=30) as client:
        events = make_timeline(client)
        with ThreadPoolExecutor(4) as pool:
            with locked(module_database_url, "LOCK TABLE event IN ACCESS EXCLUSIVE MODE"):
                waiting = [pool.submit(client.get, events) for _ in range(4)]
                wait_for_waiters(module_database_url, 2)
                time.sleep(4)
            assert [one.result().status_code for one in waiting] == [200] * 4


def test_who_finds_no_free_connection_is_told_to_come_again(module_database_url: str) -> None:
    with connected(module_database_url, pool_size=1, statement_timeout_seconds=30) as client:
        events = make_timeline(client)
        with ThreadPoolExecutor(1) as pool:
            with locked(module_database_url, "LOCK TABLE event IN ACCESS EXCLUSIVE MODE"):
                busy = pool.submit(client.get, events)
                wait_for_waiters(module_database_url)
                assert is_unavailable(client.get("/v1/actors"), "unavailable")
            assert busy.result().status_code == 200
        assert client.get("/v1/actors").status_code == 200


@pytest.mark.usefixtures("patient_pool")
def test_who_comes_when_too_many_wait_is_told_at_once(
    module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.database._MOST_WAITING_EACH", 1)
    with connected(module_database_url, pool_size=1, statement_timeout_seconds=30) as client:
        events = make_timeline(client)
        with ThreadPoolExecutor(2) as pool:
            with locked(module_database_url, "LOCK TABLE event IN ACCESS EXCLUSIVE MODE"):
                asking = [pool.submit(client.get, events) for _ in range(2)]
                # one has the connection, the other waits for it
                wait_for_waiters(module_database_url)
                wait_until(lambda: "\ndateline_pool_waiting_requests 1.0\n" in client.get("/metrics").text)
                refused = client.get(events)
                assert is_unavailable(refused, "unavailable")
                assert refused.json()["detail"] == "too many requests wait for the database already"
            assert [one.result().status_code for one in asking] == [200, 200]


def test_exports_leave_connections_to_others(module_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.listing.MOST_EVENTS", 1)  # so that two are streamed
    begun, may_end = threading.Semaphore(0), threading.Event()

    async def held(*_: object) -> AsyncGenerator[list[bytes]]:
        begun.release()
        await asyncio.to_thread(may_end.wait)
        yield [b"{}"]

    with connected(module_database_url, pool_size=4, statement_timeout_seconds=30) as client:
        events = make_timeline(client)
        for _ in range(2):
            make_event(client, events)
        with ThreadPoolExecutor(2) as pool, monkeypatch.context() as slow:
            slow.setattr("service.api.listing.stream_documents", held)
            busy = [pool.submit(client.get, events, format="ndjson") for _ in range(2)]
            assert all(begun.acquire(timeout=10) for _ in busy)
            assert is_unavailable(client.get(events, format="ndjson"), "unavailable")
            # what is no stream needs no place of one
            assert client.get(events, format="ndjson", limit=1).status_code == 200
            assert client.get("/v1/actors").status_code == 200
            may_end.set()
            assert [one.result().status_code for one in busy] == [200, 200]
        assert client.get(events, format="ndjson").status_code == 200


@pytest.mark.one_server
def test_writers_who_stand_in_each_others_way_are_told_to_come_again(database_url: str) -> None:
    """Two transactions that wait for each other: one must give way, and it is not its client's fault."""
    name = sql.Identifier(database_url.rpartition("@/")[2].partition("?")[0])
    with psycopg.connect(database_url) as direct:
        # the service looks once, so long after it began to wait; by then the other must wait, too
        direct.execute(sql.SQL("ALTER DATABASE {} SET deadlock_timeout = '3s'").format(name))
    with connected(database_url, statement_timeout_seconds=30) as client:
        events = make_timeline(client)
        event, actor = make_event(client, events), make_actor(client)
        with psycopg.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
            other.execute("SET deadlock_timeout = '60s'")
            other.execute("SELECT FROM actor WHERE slug = %s FOR UPDATE", [actor])
            waiting = pool.submit(client.patch, path_of(event), {"participants": [{"actor": actor}]}, "*")
            wait_for_waiters(database_url)
            other.execute("SELECT FROM event WHERE event_id = %s FOR UPDATE", [event["id"]])
            assert is_unavailable(waiting.result(), "unavailable")
        assert client.read(path_of(event)) == event


# Ready or not


def test_a_database_without_a_schema_is_not_ready(empty_database_url: str) -> None:
    with connected(empty_database_url) as client:
        assert client.get("/health/live").status_code == 200
        assert is_unavailable(client.get("/health/ready"), "unavailable")


def test_a_schema_of_an_earlier_release_is_not_ready_and_one_of_a_later_is(database_url: str) -> None:
    with connected(database_url) as client, psycopg.connect(database_url, autocommit=True) as direct:
        assert client.get("/health/ready").status_code == 200
        direct.execute("UPDATE alembic_version SET version_num = '2099_01_01_later'")
        assert client.get("/health/ready").status_code == 200
        direct.execute("UPDATE alembic_version SET version_num = '2026_11_24_idempotency'")
        assert is_unavailable(client.get("/health/ready"), "unavailable")
        direct.execute("DELETE FROM alembic_version")
        assert is_unavailable(client.get("/health/ready"), "unavailable")
        assert client.get("/health/live").status_code == 200


def until(condition: Callable[[], bool], *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@contextmanager
def gone(server: str, url: str) -> Iterator[None]:
    """Let nobody into a database, and throw out whoever is in."""
    name = sql.Identifier(url.rpartition("/")[2].partition("?")[0])
    database = url.rpartition("@/")[2].partition("?")[0]
    with psycopg.connect(server, autocommit=True) as connection:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        away = sql.Identifier(f"{database}_away")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [database],
        )
        while True:
            try:
                connection.execute(rename.format(sql.Identifier(database), away))
                break
            except psycopg.errors.ObjectInUse:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
                )
        try:
            yield
        finally:
            connection.execute(rename.format(away, name))


def test_a_database_that_went_away_comes_back_without_a_restart(
    postgres: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as after a minute, when the pool waits longer and longer from one try to the next
    monkeypatch.setattr("psycopg_pool.base.AttemptWithBackoff.INITIAL_DELAY", 30.0)
    with connected(database_url) as client:
        events = make_timeline(client)
        event = make_event(client, events)
        with gone(postgres, database_url):
            assert until(lambda: is_unavailable(client.get("/health/ready"), "unavailable"), seconds=60)
            assert client.get("/health/live").status_code == 200
            assert is_unavailable(client.get(events), "unavailable")
            assert is_unavailable(client.post(events, event_body()), "unavailable")
            assert client.read("/v1/dates", edtf="2013")["level"] == 0
        # however long it was away, it is found again soon
        assert until(lambda: client.get("/health/ready").status_code == 200, seconds=25)
        assert until(lambda: client.get(events).status_code == 200, seconds=60)
        assert client.read(events)["items"] == [event]
        assert client.post(events, event_body()).status_code == 201


def test_connections_that_broke_are_replaced(postgres: str, database_url: str) -> None:
    """A database that was started anew answers the next requests, but for those that find a broken connection."""
    with connected(database_url, pool_size=4) as client, psycopg.connect(postgres, autocommit=True) as direct:
        events = make_timeline(client)
        with ThreadPoolExecutor(4) as pool:
            assert [one.status_code for one in pool.map(client.get, [events] * 8)] == [200] * 8
        database = database_url.rpartition("@/")[2].partition("?")[0]
        direct.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        answers = [client.get(events).status_code for _ in range(12)]
        assert set(answers) <= {200, 503}
        assert answers[-4:] == [200] * 4


def test_a_service_may_start_before_its_database(postgres: str, template: str) -> None:
    url = database_url_of(postgres, "test_not_there_yet")
    with connected(url) as client:
        assert client.get("/health/live").status_code == 200
        assert is_unavailable(client.get("/health/ready"), "unavailable")
        with psycopg.connect(postgres, autocommit=True) as direct:
            direct.execute(sql.SQL("CREATE DATABASE test_not_there_yet TEMPLATE {}").format(sql.Identifier(template)))
        assert until(lambda: client.get("/health/ready").status_code == 200, seconds=60)
    with psycopg.connect(postgres, autocommit=True) as direct:
        direct.execute("DROP DATABASE test_not_there_yet WITH (FORCE)")
