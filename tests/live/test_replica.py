"""Reads from a real streaming replica: behind, held up, killed, in conflict; and each client sees what it wrote."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from tests.api.asking import Asked
from tests.api.published import OPERATIONS
from tests.client import Client, connected
from tests.conftest import fresh_database
from tests.factories import event_body, make_event, make_timeline, path_of
from tests.keys import bearer
from tests.replicas import ReplicaServer, replica_of
from tests.waiting import wait_for_waiters, wait_until

POSITION = "Dateline-Position"
READS = {"list_events", "list_events_everywhere", "get_event", "list_claims", "get_claim", "list_history", "list_plans"}
READS |= {"compare_timeline", "get_histogram", "list_timelines", "get_timeline", "list_actors", "get_actor"}
READS |= {"list_places", "get_place", "list_sources", "get_source"}


@pytest.fixture(scope="module")
def server(postgres: str, request: pytest.FixtureRequest) -> Iterator[ReplicaServer]:
    with replica_of(postgres, system=request.config.getoption("--postgres") == "system") as replica:
        yield replica


@contextmanager
def following(server: ReplicaServer, url: str, **settings: float) -> Iterator[Client]:
    """Start the application on a database and its replica, and wait until reads go there."""
    server.catch_up()
    given: dict[str, Any] = {"read_database_url": server.url_of(url), **settings}
    with connected(url, **given) as client:
        try:
            wait_until(lambda: health(client) == "ok")
            yield client
        finally:
            server.resume()


@pytest.fixture(scope="module")
def kept(server: ReplicaServer, module_database_url: str) -> Iterator[Client]:
    with following(server, module_database_url, replica_wait_seconds=0.2) as talking:
        yield talking


@pytest.fixture
def client(server: ReplicaServer, kept: Client) -> Iterator[Client]:
    """Answer a client of an application that reads from the replica, which replays again afterwards."""
    wait_until(lambda: health(kept) == "ok")
    yield kept
    server.resume()


@pytest.fixture
def patient(server: ReplicaServer, database_url: str) -> Iterator[Client]:
    with following(server, database_url, replica_wait_seconds=30, replica_lag_seconds=3600) as talking:
        yield talking


def health(client: Client) -> str | None:
    told: str | None = client.read("/health/ready").get("replica")
    return told


def count(client: Client, outcome: str) -> float:
    """Count the reads of an outcome."""
    return figure(client, f'dateline_replica_reads_total{{outcome="{outcome}"}}') or 0.0


def figure(client: Client, name: str) -> float | None:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else None


def seen(answer: httpx.Response) -> dict[str, str]:
    """Take from an answer what a read is to be sent with."""
    return {POSITION: answer.headers[POSITION]}


def test_who_sends_the_position_sees_what_they_wrote(server: ReplicaServer, client: Client) -> None:
    events = make_timeline(client)
    server.catch_up()
    server.pause()
    waited, replica = count(client, "waited"), count(client, "replica")
    made = client.post(events, event_body(title="New"))
    event = path_of(made.json())
    # which shows that it is the replica that answers
    assert client.get(event).status_code == 404
    assert client.read(events)["items"] == []
    assert count(client, "replica") == replica + 2
    assert client.get(event, seen(made)).json() == made.json()
    assert [one["title"] for one in client.get(events, seen(made)).json()["items"]] == ["New"]
    assert client.get(events, seen(made), format="ndjson").content == made.content + b"\n"
    assert client.send("HEAD", event, headers=seen(made)).headers["ETag"] == '"1"'
    assert "New" in client.get("/", seen(made), timeline=events.split("/")[3]).text
    assert count(client, "waited") == waited + 5
    before = count(client, "replica")
    server.resume()
    server.catch_up()
    assert client.get(event, seen(made)).json() == made.json()
    assert client.get(event).json() == made.json()
    assert count(client, "replica") == before + 2
    changed = client.patch(event, {"title": "Newer"}, '"1"')
    assert changed.headers[POSITION] != made.headers[POSITION]


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_read_waits_for_the_replica(form: str, server: ReplicaServer, patient: Client, database_url: str) -> None:
    def is_asked() -> bool:
        """Tell whether a connection for reads has asked the replica how far it has come."""
        with psycopg.connect(server.url_of(database_url)) as connection:
            return connection.execute(query).fetchone() is not None

    query = """
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'dateline' AND query LIKE '%pg_last_wal_replay_lsn%'
    """
    events = make_timeline(patient)
    server.pause()
    made = patient.post(events, event_body())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patient.get, events, seen(made), format=form)
        wait_until(is_asked)
        assert not waiting.done()
        server.resume()
        assert made.json()["id"] in waiting.result(30).text
    assert (count(patient, "waited"), count(patient, "replica")) == (0, 1)


def test_every_read_goes_there_and_no_other_request(client: Client) -> None:
    """Walks the published operations: one that is new says here where it reads."""
    parameters = {one.name: {parameter["name"] for parameter in one.parameters("header")} for one in OPERATIONS}
    assert {name for name, sent in parameters.items() if POSITION in sent} == READS
    for operation in OPERATIONS:
        if operation.method == "get":
            before = count(client, "replica")
            needed = {one["name"]: one["example"] for one in operation.parameters("query") if one["required"]}
            Asked(operation, params=needed).send(client)
            assert count(client, "replica") - before == (operation.name in READS), operation.name
    before = count(client, "replica")
    assert client.get("/").status_code == 200
    assert count(client, "replica") == before + 1


def test_a_refused_write_tells_by_when_to_read(server: ReplicaServer, client: Client) -> None:
    """Else whoever reads again to try again would find, at the replica, what was refused already."""
    events = make_timeline(client)
    event = path_of(make_event(client, events))
    server.catch_up()
    server.pause()
    client.patch(event, {"title": "Newer"}, '"1"')
    refused = client.patch(event, {"title": "Mine"}, '"1"')
    assert (refused.status_code, client.get(event).headers["ETag"]) == (412, '"1"')
    assert client.get(event, seen(refused)).headers["ETag"] == '"2"'
    client.post("/v1/actors", {"slug": "new", "name": "New", "kind": "person"})
    taken = client.post("/v1/actors", {"slug": "new", "name": "New", "kind": "person"})
    assert (taken.status_code, client.get("/v1/actors/new").status_code) == (409, 404)
    assert client.get("/v1/actors/new", seen(taken)).status_code == 200
    operation = {"operation": "amend", "event": event.rpartition("/")[2], "if_match": 1, "patch": {"title": "Mine"}}
    batch = client.post(f"{events}:batch", {"operations": [operation]})
    assert batch.status_code == 422
    assert client.get(event, seen(batch)).headers["ETag"] == '"2"'


def test_a_mirror_that_begins_misses_nothing(server: ReplicaServer, client: Client) -> None:
    events = make_timeline(client)
    server.catch_up()
    server.pause()
    made = make_event(client, events)
    client.wait_for_feed()
    latest = client.get(events.replace("/events", "/changes"), after="latest")
    listed = client.get(events, seen(latest), format="ndjson")
    assert [one["id"] for one in map(httpx.Response.json, [listed])] == [made["id"]]
    stream = client.listen(events.replace("/events", "/changes"), 1, after="latest")
    assert made["id"] in client.get(events, seen(stream)).text


def test_a_revoked_key_opens_nothing_whatever_the_replica_has(server: ReplicaServer, client: Client) -> None:
    events = make_timeline(client, visibility="private")
    key = client.post("/v1/keys", {"name": "reader", "scopes": ["read"]}).json()
    server.catch_up()
    assert client.get(events, bearer(key["key"])).status_code == 200
    server.pause()
    assert client.delete(f"/v1/keys/{key['prefix']}").status_code == 204
    assert client.get(events, bearer(key["key"])).status_code == 401


def test_a_position_that_is_none_is_refused_by_its_name(database_url: str) -> None:
    with connected(database_url) as client:
        events = make_timeline(client)
        made = client.post(events, event_body())
        position = made.headers[POSITION]
        assert client.get(events, seen(made)).status_code == 200
        other = "A" if position[0] != "A" else "B"
        for wrong in ("", "0/16B3748", "é", position[:-1], other + position[1:], position * 100):
            answer = client.send("GET", events, headers={POSITION.encode(): wrong.encode()})
            assert answer.status_code == 400, wrong
            assert [one["parameter"] for one in answer.json()["errors"]] == [POSITION]
        twice = httpx.Headers([(POSITION, position), (POSITION, position)])
        assert client.send("GET", events, headers=twice).status_code == 400
        # what is tried, not done
        tried = client.send("POST", events, params={"dry_run": True}, json=event_body())
        assert (tried.status_code, POSITION in tried.headers) == (201, False)


def test_a_position_of_another_life_is_for_the_primary(server: ReplicaServer, postgres: str, database_url: str) -> None:
    """As that of a client whose service was since restored from a dump: the replica may not have come to that yet."""
    with connected(database_url) as before:
        events = make_timeline(before)
        made = before.post(events, event_body())
    name = database_url.rpartition("@/")[2].partition("?")[0]
    with fresh_database(postgres, name) as restored, following(server, restored, replica_wait_seconds=60) as client:
        before_reading, unused = count(client, "replica"), count(client, "unused")
        assert client.get(path_of(made.json()), seen(made)).status_code == 200
        assert (count(client, "unused"), count(client, "replica")) == (unused + 1, before_reading)
        assert count(client, "waited") == 0


def test_a_replica_that_is_killed_is_missed_by_nobody(server: ReplicaServer, client: Client) -> None:
    events = make_timeline(client)
    made = client.post(events, event_body())
    server.catch_up()
    statuses: list[int] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            for headers in ({}, seen(made)):
                statuses.append(client.get(path_of(made.json()), headers).status_code)
                statuses.append(client.get(events, headers).status_code)
            statuses.append(client.get(events, format="ndjson").status_code)

    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(read) for _ in range(4)]
        try:
            time.sleep(0.3)
            server.kill()
            wait_until(lambda: health(client) == "down")
            assert figure(client, "dateline_replica_up") == 0
            assert figure(client, "dateline_replica_lag_seconds") is None
            wait_until(lambda: count(client, "unused") > 0)
            server.start()
            wait_until(lambda: health(client) == "ok")
            before = count(client, "replica")
            wait_until(lambda: count(client, "replica") > before + 20)
        finally:
            over.set()
        for one in reading:
            one.result()
    assert set(statuses) == {200}
    assert figure(client, "dateline_replica_up") == 1


def test_a_read_that_is_in_the_way_of_recovery_is_done_by_the_primary(
    server: ReplicaServer, client: Client, module_database_url: str
) -> None:
    """It holds a lock of one table while it waits for another, and what is replayed wants the first."""
    event = make_event(client, make_timeline(client))
    failed = count(client, "failed")
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(module_database_url) as first,
        psycopg.connect(module_database_url) as second,
    ):
        first.execute("LOCK TABLE timeline IN ACCESS EXCLUSIVE MODE")
        server.catch_up()
        reading = pool.submit(client.get, path_of(event))
        wait_for_waiters(server.url_of(module_database_url))
        second.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        server.catch_up()
        first.rollback()
        second.rollback()
        assert reading.result().json() == event
    assert count(client, "failed") == failed + 1


def test_a_replica_too_far_behind_is_not_read(server: ReplicaServer, database_url: str) -> None:
    with following(server, database_url, replica_lag_seconds=0.5) as client:
        events = make_timeline(client)
        server.catch_up()
        server.pause()
        made = make_event(client, events)
        assert client.get(path_of(made)).status_code == 404
        wait_until(lambda: health(client) == "behind")
        assert client.get(path_of(made)).status_code == 200
        assert (figure(client, "dateline_replica_lag_seconds") or 0) > 0.5
        server.resume()
        wait_until(lambda: health(client) == "ok")
        before = count(client, "replica")
        assert client.get(path_of(made)).status_code == 200
        assert count(client, "replica") == before + 1


@pytest.mark.parametrize("which", ["itself", "another", "away"])
def test_what_is_no_replica_of_it_is_never_read(
    which: str, server: ReplicaServer, database_url: str, module_database_url: str
) -> None:
    away = "postgresql://postgres@/postgres?host=/nonexistent"
    urls = {"itself": database_url, "another": server.url_of(module_database_url), "away": away}
    server.catch_up()
    with connected(database_url, read_database_url=urls[which]) as client:
        made = make_event(client, make_timeline(client))
        assert client.get(path_of(made)).status_code == 200
        assert health(client) == "down"
        assert (count(client, "replica"), count(client, "unused")) == (0, 1)
