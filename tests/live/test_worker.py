"""`dateline worker` as it runs: shared, killed, told to stop; and the worker inside `serve`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.client import Client, connected
from tests.factories import make_event, make_timeline
from tests.keys import bearer
from tests.live import asking
from tests.live.service import ROOT, running, tracebacks
from tests.receiver import Answer, Received, Receiver, receiving
from tests.waiting import wait_until


@contextmanager
def worker(folder: Path, url: str, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """Run `dateline worker` for a block; its errors are kept in the folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DATELINE_")}
    given = {"database_url": url, "webhook_allow_private": True, **settings}
    with (
        (folder / "stderr.txt").open("a") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "service", "worker"],
            cwd=ROOT,
            env=inherited | {f"DATELINE_{name.upper()}": str(value) for name, value in given.items()},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    with connected(database_url, webhook_allow_private=True) as found:
        yield found


def make_hook(client: Client, receiver: Receiver) -> tuple[str, str]:
    """Make a webhook; give its path and that of its timeline's events."""
    events = make_timeline(client)
    hooks = events.removesuffix("/events") + "/webhooks"
    made = client.post(hooks, {"url": receiver.url}).json()
    return f"{hooks}/{made['id']}", events


def test_workers_share_and_are_woken(tmp_path: Path, database_url: str, client: Client) -> None:
    with receiving() as receiver, ExitStack() as stack:
        hook, events = make_hook(client, receiver)
        for _ in range(3):
            stack.enter_context(worker(tmp_path, database_url))
        make_event(client, events, title="first")
        receiver.wait_for(1)
        for i in range(100):
            make_event(client, events, title=str(i))
        receiver.wait_for(101)
        wait_until(lambda: len(client.walk(f"{hook}/deliveries", state="delivered", limit=200)) == 101)
        time.sleep(1.5)  # another look of each worker
        received = receiver.received
    assert len(received) == len({one.message_id for one in received}) == 101
    assert tracebacks(tmp_path) == []


def test_what_a_killed_worker_had_taken_is_sent_by_another_under_the_same_identity(
    tmp_path: Path, database_url: str, client: Client
) -> None:
    with receiving() as receiver:
        hook, events = make_hook(client, receiver)
        hangs = threading.Event()

        def answer(_: Received) -> Answer:
            hangs.wait(20)
            return 204, {}

        receiver.answer = answer
        with worker(tmp_path, database_url) as first:
            make_event(client, events)
            receiver.wait_for(1)
            os.kill(first.pid, signal.SIGKILL)
            assert first.wait(10) == -signal.SIGKILL
        receiver.answer = lambda _: (204, {})
        hangs.set()
        (one,) = client.read(f"{hook}/deliveries")["items"]
        assert (one["state"], one["tries"]) == ("pending", 1)
        with worker(tmp_path, database_url):
            time.sleep(2)
            assert len(receiver.received) == 1, "taken before the lease of the dead worker had ended"
            with psycopg.connect(database_url, autocommit=True) as direct:  # time passes
                direct.execute("UPDATE webhook_delivery SET due_at = now()")
            first_try, second_try = receiver.wait_for(2)
            wait_until(lambda: client.read(f"{hook}/deliveries")["items"][0]["state"] == "delivered")
    assert first_try.message_id == second_try.message_id == one["id"]
    assert first_try.body == second_try.body


def test_a_worker_that_is_told_to_stop_gives_back_what_hangs(tmp_path: Path, database_url: str, client: Client) -> None:
    with receiving() as receiver:
        hook, events = make_hook(client, receiver)
        hangs = threading.Event()
        receiver.answer = lambda _: (204 if hangs.wait(60) else 500, {})
        with worker(tmp_path, database_url, webhook_timeout_seconds=60) as process:
            make_event(client, events)
            receiver.wait_for(1)
            began = time.monotonic()
            process.terminate()
            assert process.wait(60) == 0
            assert time.monotonic() - began < 20
        hangs.set()
        (one,) = client.read(f"{hook}/deliveries")["items"]
        assert (one["state"], one["tries"]) == ("pending", 0)
        with worker(tmp_path, database_url):
            receiver.wait_for(2)
    assert tracebacks(tmp_path) == []


def test_an_idle_worker_stops_at_once(tmp_path: Path, database_url: str) -> None:
    with worker(tmp_path, database_url, log_level="info") as process:
        wait_until(lambda: "sending webhooks" in (tmp_path / "stderr.txt").read_text())
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert time.monotonic() - began < 20
    assert tracebacks(tmp_path) == []


def test_the_service_sends_webhooks_by_itself_and_keeps_their_secrets_out_of_its_log(
    tmp_path: Path, database_url: str
) -> None:
    with receiving() as receiver:
        receiver.answer = lambda _: (500, {})
        with running(
            tmp_path, database_url=database_url, webhook_allow_private=True, seed=False, log_level="debug"
        ) as service:
            with asking.client(base_url=f"{service.base}/v1", headers=bearer(service.key)) as http:
                http.post("/timelines", json={"slug": "story", "title": "Story"}).raise_for_status()
                made = (
                    http.post("/timelines/story/webhooks", json={"url": receiver.url + "/hunter2"})
                    .raise_for_status()
                    .json()
                )
                http.post(
                    "/timelines/story/events", json={"title": "X", "when": "2013", "status": "occurred"}
                ).raise_for_status()
                (request,) = receiver.wait_for(1)
                assert request.payload["type"] == "event.created"
            began = time.monotonic()
            service.process.terminate()
            assert service.process.wait(60) == 0
            assert time.monotonic() - began < 40
    log = (tmp_path / "stderr.txt").read_text()
    assert tracebacks(tmp_path) == []
    assert made["secret"].removeprefix("whsec_") not in log
    assert "hunter2" not in log


def test_a_service_without_a_worker_sends_nothing(tmp_path: Path, database_url: str) -> None:
    with receiving() as receiver:
        with (
            running(
                tmp_path, database_url=database_url, webhook_allow_private=True, seed=False, worker=False
            ) as service,
            asking.client(base_url=f"{service.base}/v1", headers=bearer(service.key)) as http,
        ):
            http.post("/timelines", json={"slug": "story", "title": "Story"}).raise_for_status()
            http.post("/timelines/story/webhooks", json={"url": receiver.url}).raise_for_status()
            http.post(
                "/timelines/story/events", json={"title": "X", "when": "2013", "status": "occurred"}
            ).raise_for_status()
            time.sleep(2)
        assert receiver.received == []


def test_one_connection_of_a_process_listens_for_all_in_it(tmp_path: Path, database_url: str) -> None:
    def listening() -> int:
        with psycopg.connect(database_url) as direct:
            row = direct.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'dateline feed'"
            ).fetchone()
        assert row is not None
        return int(row[0])

    with running(tmp_path, database_url=database_url, seed=False):
        assert listening() == 1
        with worker(tmp_path, database_url):
            wait_until(lambda: listening() == 2)
            time.sleep(0.5)
            assert listening() == 2
