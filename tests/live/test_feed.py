"""The change feed over real connections: streams, kills, signals, lost notifications, dump and restore."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from service.embedded import find_programs
from tests.conftest import database_url_of
from tests.keys import ADMIN, bearer
from tests.live.service import ONE_AND_TWO, Service, running, tracebacks
from tests.live.stream import ask_and_take_nothing, opened

Json = dict[str, Any]
# a hundred such events are more than the kernel keeps for a client that does not read
LONG = "€" * 20_000


# starting and loaded services may be slow to answer
HTTP = httpx.Client(timeout=30, headers=bearer(ADMIN))


@pytest.fixture(scope="module", autouse=True)
def _close_connections() -> Iterator[None]:
    yield
    HTTP.close()


class Story:
    """A timeline of a running service."""

    def __init__(self, service: Service, slug: str = "story") -> None:
        self.base = service.base
        self.events = f"{service.base}/v1/timelines/{slug}/events"
        self.changes = f"{service.base}/v1/timelines/{slug}/changes"
        HTTP.post(f"{service.base}/v1/timelines", json={"slug": slug, "title": slug})

    def write(self, title: str = "A meeting", **members: object) -> Json:
        body = {"title": title, "when": "2013-02-25", "status": "planned"} | members
        answer = HTTP.post(self.events, json=body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def latest(self) -> str:
        return str(HTTP.get(f"{self.changes}?after=latest").json()["latest"])

    def open_streams(self) -> int:
        figures = HTTP.get(f"{self.base}/metrics").text
        return int(float(figures.split("\ndateline_feed_open_streams ")[1].split()[0]))


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[Service]:
    """Run a service that is quick to show signs of life, and slow to look without being told."""
    with running(
        tmp_path_factory.mktemp("feed"),
        database_url=module_database_url,
        seed="false",
        pool_size=2,
        stream_heartbeat_seconds=0.3,
        stream_send_timeout_seconds=1,
        stream_poll_seconds=60,
    ) as running_service:
        yield running_service


def test_a_stream_tells_what_was_and_goes_on_with_what_comes(service: Service) -> None:
    story = Story(service, "goes-on")
    before = story.write("Before")
    with opened(story.changes) as stream:
        assert stream.answer.status == 200
        assert stream.answer.getheader("content-type") == "text/event-stream; charset=utf-8"
        first = stream.message()
        assert first is not None
        assert set(first) == {"id", "retry"}
        assert stream.item()["document"] == before
        for n in range(3):
            made = story.write(str(n))
            assert stream.item()["document"] == made


def test_a_change_arrives_at_once_though_nobody_looks(service: Service) -> None:
    """The service looks by itself once a minute: it is the notification that wakes the stream."""
    story = Story(service, "at-once")
    with opened(f"{story.changes}?after=latest") as stream:
        stream.message()
        time.sleep(0.3)
        began = time.monotonic()
        made = story.write()
        assert stream.item()["event"] == made["id"]
        assert time.monotonic() - began < 5


def test_a_change_that_another_process_writes_arrives_at_once(
    service: Service, module_database_url: str, tmp_path: Path
) -> None:
    story = Story(service, "elsewhere")
    with (
        running(tmp_path, database_url=module_database_url, seed="false", pool_size=2) as other,
        opened(f"{story.changes}?after=latest") as stream,
    ):
        stream.message()
        made = Story(other, "elsewhere").write()
        began = time.monotonic()
        assert stream.item()["event"] == made["id"]
        assert time.monotonic() - began < 5


def test_an_idle_stream_shows_signs_of_life_from_which_it_resumes(service: Service) -> None:
    story = Story(service, "idle")
    with opened(f"{story.changes}?status=cancelled") as stream:
        stream.message()
        made = story.write()  # not for this stream
        signs = [stream.message() for _ in range(4)]
    assert all(sign is not None and set(sign) == {"", "id"} for sign in signs)
    assert signs[-1] is not None
    assert signs[-1]["id"] == story.latest()
    assert HTTP.get(story.changes, params={"after": signs[-1]["id"]}).json()["items"] == []
    assert HTTP.get(story.changes).json()["items"][0]["event"] == made["id"]


def test_a_stream_resumes_where_it_broke_off(service: Service) -> None:
    story = Story(service, "resumes")
    made = [story.write(str(n)) for n in range(4)]
    with opened(story.changes) as stream:
        seen = [stream.item() for _ in range(2)]
    # what the browser sends goes before the address that the stream was opened with
    with opened(f"{story.changes}?after={seen[0]['cursor']}", last_event_id=seen[1]["cursor"]) as stream:
        assert [stream.item()["event"] for _ in range(2)] == [made[2]["id"], made[3]["id"]]


def test_filters_hold_for_streams(service: Service) -> None:
    story = Story(service, "filters")
    with opened(f"{story.changes}?status=occurred&documents=false") as stream:
        story.write(status="planned")
        asked = story.write(status="occurred")
        item = stream.item()
        assert item["event"] == asked["id"]
        assert "document" not in item


def test_idle_streams_hold_no_connection(service: Service) -> None:
    """Thirty streams, two connections, and one that listens."""
    story = Story(service, "connections")
    with ExitStack() as streams:
        every = [streams.enter_context(opened(f"{story.changes}?after=latest")) for _ in range(30)]
        made = story.write()
        for stream in every:
            assert stream.item()["event"] == made["id"]
        assert story.open_streams() == 30
    wait_until(lambda: story.open_streams() == 0, seconds=2)


def test_a_transaction_under_way_only_delays_a_stream(service: Service, postgres: str) -> None:
    story = Story(service, "delayed")
    with opened(f"{story.changes}?after=latest") as stream, psycopg.connect(postgres) as other:
        stream.message()
        other.execute("SELECT pg_current_xact_id()")
        made = story.write()
        for _ in range(3):
            sign = stream.message()
            assert sign is not None
            assert "data" not in sign
        other.rollback()
        assert stream.item()["event"] == made["id"]


def test_a_client_that_takes_nothing_is_left_and_may_resume(service: Service) -> None:
    story = Story(service, "stalled")
    start = story.latest()
    stalled = ask_and_take_nothing(f"{story.changes}?after={start}")
    wait_until(lambda: story.open_streams() == 1)
    with opened(f"{story.changes}?after={start}") as other:
        made = []
        for n in range(100):
            made.append(story.write(str(n), summary=LONG))
            assert other.item()["event"] == made[-1]["id"]
        wait_until(lambda: story.open_streams() == 1)
    with stalled:
        taken = b""
        stalled.settimeout(10)
        while part := stalled.recv(65536):
            taken += part
    ids = [line[4:].decode() for line in taken.split(b"\n")[:-1] if line.startswith(b"id: ")]
    whole = HTTP.get(story.changes, params={"after": start, "limit": 200}).json()["items"]
    assert [one["event"] for one in whole] == [one["id"] for one in made]
    # what it got before is whole, and the next read goes on from there
    assert list(dict.fromkeys(ids))[1:] == [one["cursor"] for one in whole][: len(set(ids)) - 1]
    rest = HTTP.get(story.changes, params={"after": ids[-1], "limit": 200}).json()["items"]
    assert rest == whole[len(set(ids)) - 1 :]
    assert 0 < len(rest) < 100


def test_a_head_is_all_that_head_asks_for(service: Service) -> None:
    story = Story(service, "head")
    answer = HTTP.head(story.changes, headers={"Accept": "text/event-stream"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    wait_until(lambda: story.open_streams() == 0, seconds=2)


def test_a_timeline_that_is_hidden_ends_its_streams(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url, seed="false") as service:
        key = bearer(service.key)
        made = HTTP.post(f"{service.base}/v1/timelines", json={"slug": "shown", "title": "x"}, headers=key)
        feed = f"{service.base}/v1/timelines/shown/changes"
        with opened(feed) as stream:
            stream.message()
            path = f"{service.base}/v1/timelines/shown"
            conditions = key | {"If-Match": made.headers["etag"]}
            assert HTTP.patch(path, json={"visibility": "private"}, headers=conditions).status_code == 200
            body = {"title": "Secret", "when": "2013", "status": "planned"}
            assert HTTP.post(f"{path}/events", json=body, headers=key).status_code == 201
            assert stream.rest() == []
        with opened(feed) as stream:
            assert stream.answer.status == 404


# --- what breaks


def test_notifications_that_are_lost_are_made_up_for(tmp_path: Path, database_url: str) -> None:
    """The connection that listens is ended again and again; it comes back, and meanwhile the service looks."""
    with running(tmp_path, database_url=database_url, seed="false", stream_poll_seconds=0.5) as service:
        story = Story(service)
        with opened(story.changes) as stream, psycopg.connect(database_url, autocommit=True) as connection:

            def listeners() -> list[int]:
                rows = connection.execute(
                    "SELECT pid FROM pg_stat_activity"
                    " WHERE application_name = 'dateline feed' AND datname = current_database()"
                ).fetchall()
                return [int(row[0]) for row in rows]

            for n in range(3):
                (before,) = listeners()
                connection.execute("SELECT pg_terminate_backend(%s::int, 5000)", [before])
                made = story.write(str(n))
                assert stream.item()["event"] == made["id"]
                wait_until(lambda before=before: listeners() not in ([], [before]))  # type: ignore[misc]  # mypy: default


def test_a_stream_outlives_a_break_of_all_connections(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url, seed="false", stream_poll_seconds=0.2) as service:
        story = Story(service)
        with opened(story.changes) as stream:
            stream.message()
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'dateline%' AND datname = current_database()"
                )
            wait_until(lambda: HTTP.get(f"{story.base}/health/ready").status_code == 200)
            made = story.write()
            assert stream.item()["event"] == made["id"]


@pytest.mark.parametrize("workers", ONE_AND_TWO)
def test_sigterm_ends_all_streams_with_a_word_of_when_to_come_back(
    workers: int, tmp_path: Path, database_url: str
) -> None:
    with running(tmp_path, database_url=database_url, seed="false", workers=workers) as service, ExitStack() as streams:
        story = Story(service)
        every = [streams.enter_context(opened(f"{story.changes}?after=latest&documents=false")) for _ in range(40)]
        stalled = [streams.enter_context(ask_and_take_nothing(story.changes)) for _ in range(3)]
        assert len(stalled) == 3
        made = [story.write(str(n), summary=LONG) for n in range(100)]
        for stream in every:
            assert [stream.item()["event"] for _ in made] == [one["id"] for one in made]
        began = time.monotonic()
        os.kill(service.process.pid, signal.SIGTERM)
        for stream in every:
            last = stream.rest()[-1]
            assert set(last) == {"id", "retry"}
        assert time.monotonic() - began < 5
        assert service.process.wait(20) == 0
    assert tracebacks(tmp_path) == []


@pytest.mark.one_server
def test_after_dump_and_restore_a_cursor_is_refused_with_advice(
    tmp_path: Path, postgres: str, database_url: str, request: pytest.FixtureRequest
) -> None:
    programs = find_programs(system=request.config.getoption("--postgres") == "system").folder
    with running(tmp_path, database_url=database_url, seed="false") as service:
        story = Story(service)
        made = story.write("Before the dump")
        cursor = story.latest()
        dump = tmp_path / "dump.sql"
        subprocess.run([programs / "pg_dump", "--file", dump, database_url], check=True)
        story.write("After the dump, and lost with it")
        ahead = story.latest()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    try:
        url = database_url_of(postgres, "restored")
        command = [str(programs / "psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(dump), url]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with running(tmp_path, database_url=url, seed="false") as service:
            story = Story(service)
            for outlived in (cursor, ahead):
                answer = HTTP.get(story.changes, params={"after": outlived})
                assert answer.status_code == 410
                assert answer.json()["type"] == "/problems/cursor-outlived"
                assert "the database was restored" in answer.json()["detail"]
                with opened(story.changes, last_event_id=outlived) as stream:
                    assert stream.answer.status == 410
            start = story.latest()
            later = story.write("In another life")
            with opened(story.changes, last_event_id=start) as stream:
                assert stream.item()["event"] == later["id"]
            whole = HTTP.get(story.changes).json()["items"]
            assert [one["event"] for one in whole] == [made["id"], later["id"]]
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS restored WITH (FORCE)"))
