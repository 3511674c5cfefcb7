"""Clients that take what they asked for drop by drop or not at all: nothing is held for them for ever."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from service.store.paging import MOST_EVENTS
from tests.keys import bearer
from tests.live.service import running
from tests.live.stream import ask_and_take_nothing, opened
from tests.receiver import receiving

NDJSON = {"Accept": "application/x-ndjson", "Accept-Encoding": "identity"}
# a story of so many characters is more than the kernel keeps for a client that does not read
LONG = 2_000_000
AT_A_TIME = 10


def make_story(http: httpx.Client, events: int) -> None:
    http.post("/v1/timelines", json={"slug": "story", "title": "Story"}).raise_for_status()
    body = {"when": "2013", "status": "occurred", "summary": "€" * (LONG // max(events, 100))}
    for first in range(0, events, AT_A_TIME):
        titles = map(str, range(first, min(first + AT_A_TIME, events)))
        operations = [{"operation": "create", "body": {"title": title, **body}} for title in titles]
        http.post("/v1/timelines/story/events:batch", json={"operations": operations}).raise_for_status()


@contextmanager
def dripping(connection: socket.socket) -> Iterator[None]:
    """Read a few bytes now and then, for a block."""
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.05) and connection.recv(16):
            pass

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("sort", ["date", "-recorded"])
def test_an_export_that_is_taken_drop_by_drop_ends_and_gives_its_connection_back(
    sort: str, tmp_path: Path, database_url: str
) -> None:
    settings = {"seed": False, "pool_size": 1, "export_send_timeout_seconds": 1, "log_level": "info"}
    with (
        running(tmp_path, database_url=database_url, **settings) as service,
        httpx.Client(base_url=service.base, headers=NDJSON | bearer(service.key), timeout=20) as http,
    ):
        events = MOST_EVENTS + 1  # or all of it is read before it is sent
        make_story(http, events)
        path = f"/v1/timelines/story/events?sort={sort}"
        began = time.monotonic()
        with ask_and_take_nothing(service.base + path, accept=NDJSON["Accept"]) as slow, dripping(slow):
            while (status := http.get(path).status_code) == 503:
                assert time.monotonic() - began < 10
                time.sleep(0.05)
            assert status == 200
            assert time.monotonic() - began > 0.9, "the slow client had its time"
            assert len(http.get(path).text.splitlines()) == events
    log = (tmp_path / "stderr.txt").read_text()
    assert "an export was ended" in log
    assert "Traceback" not in log


def test_a_client_that_takes_its_time_gets_its_export_whole(tmp_path: Path, database_url: str) -> None:
    """The time is each part's, not the whole's."""
    with (
        running(tmp_path, database_url=database_url, seed=False, export_send_timeout_seconds=1) as service,
        httpx.Client(base_url=service.base, headers=NDJSON | bearer(service.key), timeout=20) as http,
    ):
        make_story(http, 100)
        path = "/v1/timelines/story/events"
        whole = len(http.get(path).content)
        began = time.monotonic()
        with http.stream("GET", path) as answer:
            taken = 0
            for part in answer.iter_raw(300_000):
                taken += len(part)
                time.sleep(0.1)
        assert taken == whole
        assert time.monotonic() - began > 1.5


def test_no_more_streams_are_opened_than_there_may_be_even_at_the_same_moment(
    tmp_path: Path, database_url: str
) -> None:
    with (
        running(tmp_path, database_url=database_url, seed=False, streams=3) as service,
        httpx.Client(base_url=service.base, headers=bearer(service.key), timeout=20) as http,
        psycopg.connect(database_url) as other,
        ThreadPoolExecutor(12) as pool,
        ExitStack() as streams,
    ):
        make_story(http, 1)
        url = f"{service.base}/v1/timelines/story/changes"

        def ask(_: int) -> int:
            return int(streams.enter_context(opened(url)).answer.status)

        other.execute("LOCK TABLE change IN ACCESS EXCLUSIVE MODE")  # the first read of each takes its time
        asked = [pool.submit(ask, n) for n in range(12)]
        time.sleep(0.5)
        other.rollback()
        assert sorted(one.result() for one in asked) == [200] * 3 + [503] * 9
        streams.close()
        deadline = time.monotonic() + 5
        while "\ndateline_feed_open_streams 0.0\n" not in http.get("/metrics").text:
            assert time.monotonic() < deadline
        with opened(url) as stream:
            assert stream.answer.status == 200


def test_a_stream_that_cannot_begin_keeps_no_place(tmp_path: Path, database_url: str) -> None:
    with (
        running(tmp_path, database_url=database_url, seed=False, streams=1) as service,
        httpx.Client(base_url=service.base, headers=bearer(service.key), timeout=20) as http,
    ):
        make_story(http, 1)
        for slug in ("missing", "missing", "story"):
            with opened(f"{service.base}/v1/timelines/{slug}/changes") as stream:
                assert stream.answer.status == (200 if slug == "story" else 404)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_ends_the_service_though_clients_and_receivers_hang(
    workers: int, tmp_path: Path, database_url: str
) -> None:
    """A stream and an export that nobody reads, and a receiver that does not answer, all at once."""
    released = threading.Event()
    with (
        receiving() as receiver,
        running(
            tmp_path, database_url=database_url, seed=False, workers=workers, webhook_allow_private=True
        ) as service,
        httpx.Client(base_url=service.base, headers=bearer(service.key), timeout=20) as http,
        ExitStack() as clients,
    ):
        receiver.answer = lambda _: (204 if released.wait(30) else 500, {})
        make_story(http, 100)
        http.post("/v1/timelines/story/webhooks", json={"url": receiver.url}).raise_for_status()
        http.post(
            "/v1/timelines/story/events", json={"title": "Last", "when": "2013", "status": "occurred"}
        ).raise_for_status()
        receiver.wait_for(1)
        story = f"{service.base}/v1/timelines/story"
        for _ in range(4):
            clients.enter_context(ask_and_take_nothing(f"{story}/changes"))
            clients.enter_context(ask_and_take_nothing(f"{story}/events", accept=NDJSON["Accept"]))
        live = clients.enter_context(opened(f"{story}/changes?after=latest"))
        live.message()
        time.sleep(0.5)
        os.kill(service.process.pid, signal.SIGTERM)
        assert set(live.rest()[-1]) == {"id", "retry"}
        assert service.process.wait(20) == 0, "sooner than what hangs"
        released.set()
    log = (tmp_path / "stderr.txt").read_text()
    assert "Traceback" not in log
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT state, tries, lease FROM webhook_delivery").fetchone()
    assert row == ("pending", 0, None), "what hung was given back"
