"""What a service says and does between being told to stop and its end; `tests/prove/drain.py` has the throng."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.keys import bearer
from tests.live import asking
from tests.live.service import Service, running, tracebacks
from tests.live.stream import opened
from tests.waiting import wait_for_waiters

LIMITS = {"statement_timeout_seconds": 120, "request_timeout_seconds": 120}
BODY = {"title": "Late", "when": "2013", "status": "planned"}


def make_timeline(service: Service) -> str:
    made = asking.post(
        f"{service.base}/v1/timelines", json={"slug": "last", "title": "Last"}, headers=bearer(service.key)
    )
    assert made.status_code == 201
    return f"{service.base}/v1/timelines/last"


@pytest.mark.parametrize("workers", [1, 2])
def test_while_it_drains_it_serves_and_is_not_ready(workers: int, tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url, seed=False, workers=workers, drain_seconds=60) as service:
        timeline = make_timeline(service)
        assert "connection" not in asking.get(f"{timeline}/events").headers
        with opened(f"{timeline}/changes", seconds=30) as before:
            before.message()
            service.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 20
            while (ready := asking.get(f"{service.base}/health/ready")).status_code == 200:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert (ready.status_code, ready.json()["detail"]) == (503, "the service is stopping")
            assert int(ready.headers["retry-after"]) > 0
            if workers == 1:  # of several, another may not have heard of it yet
                for path in ("/health/live", "/v1/timelines/last/events", "/v1/no-such-thing"):
                    answer = asking.get(service.base + path)
                    assert answer.headers["connection"] == "close"
                    assert answer.status_code == (404 if "no" in path else 200)
            made = asking.post(f"{timeline}/events", json=BODY, headers=bearer(service.key))
            assert made.status_code == 201
            assert before.item()["event"] == made.json()["id"], "streams go on while it drains"
            if workers == 1:
                service.process.send_signal(signal.SIGTERM)  # a second one: enough of that
                assert set(before.rest()[-1]) == {"id", "retry"}
                assert service.process.wait(20) == 0
            else:
                for process in service.workers():
                    process.send_signal(signal.SIGTERM)
                assert service.process.wait(20) == 0
    assert tracebacks(tmp_path) == []


def test_what_takes_longer_than_the_end_may_is_told_so(tmp_path: Path, database_url: str) -> None:
    """A write that waits for longer than the service has left."""
    with (
        running(tmp_path, database_url=database_url, seed=False, **LIMITS) as service,
        psycopg.connect(database_url) as holder,
        ThreadPoolExecutor(2) as clients,
    ):
        events = f"{make_timeline(service)}/events"
        holder.execute("LOCK TABLE event IN SHARE ROW EXCLUSIVE MODE")
        waiting = clients.submit(asking.post, events, json=BODY, headers=bearer(service.key), timeout=120)
        wait_for_waiters(database_url)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        answer = waiting.result()
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"].startswith("the request was given up since the service ends. It may have been")
        assert service.process.wait(60) == 0
        assert time.monotonic() - began < 40, "well before any limit of its own"
    assert tracebacks(tmp_path) == []
