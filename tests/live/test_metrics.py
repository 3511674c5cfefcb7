"""The figures of a running service: of all its processes, on a port of their own, and while the database is away."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.live import asking
from tests.live.service import ONE_AND_TWO, Service, running, start, tracebacks
from tests.waiting import wait_until

READS = {"method": "GET", "route": "/v1/dates", "status": "2xx"}


def figure(base: str, name: str, **labels: str) -> float:
    written = ",".join(f'{label}="{text}"' for label, text in sorted(labels.items()))
    figures = asking.get(f"{base}/metrics").raise_for_status().text
    found = re.findall(rf"^{re.escape(f'{name}{{{written}}}' if written else name)} (\S+)$", figures, re.MULTILINE)
    assert len(found) <= 1, "each figure stands there once"
    return float(found[0]) if found else 0.0


def ask(base: str) -> int:
    """Ask by a connection of one's own, so that any of the processes may take it."""
    return asking.get(f"{base}/v1/dates", params={"edtf": "2013"}).status_code


def test_several_processes_tell_the_figures_of_all(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever answers, and after one of them was killed, too; by a folder that is nobody else's, and goes away."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(tmp_path, database_url=database_url, workers=2, worker=False) as service:
        (folder,) = tmp_path.glob("dateline-figures-*")
        assert folder.stat().st_mode & 0o077 == 0
        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(ask, [service.base] * 60)) == {200}
        wait_until(lambda: figure(service.base, "dateline_http_requests_total", **READS) == 60)
        for _ in range(10):
            assert figure(service.base, "dateline_http_requests_total", **READS) == 60
            assert figure(service.base, "dateline_http_requests_in_flight") == 1
        wait_until(lambda: _connections(service.base) == 2 * 2)
        before = _children(service)
        killed = service.workers()[0].pid
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in _children(service) and len(_children(service)) == len(before))
        wait_until(lambda: ask(service.base) == 200)
        wait_until(lambda: figure(service.base, "dateline_http_requests_total", **READS) >= 61)
        wait_until(lambda: _connections(service.base) == 2 * 2)
        assert figure(service.base, "dateline_http_requests_in_flight") == 1
    assert not folder.exists()
    assert (
        f"server process {killed} ended with status -9: another takes its place"
        in (tmp_path / "stderr.txt").read_text()
    )


def _children(service: Service) -> set[int]:
    return {child.pid for child in psutil.Process(service.process.pid).children()}


def _connections(base: str) -> float:
    return sum(figure(base, "dateline_pool_connections", state=state) for state in ("idle", "busy"))


@pytest.mark.parametrize("workers", ONE_AND_TWO)
def test_figures_have_a_port_of_their_own_where_one_is_named(tmp_path: Path, database_url: str, workers: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with running(tmp_path, database_url=database_url, metrics_port=port, workers=workers) as service:
        other = f"http://127.0.0.1:{port}"
        answer = asking.get(f"{other}/metrics", headers={"Host": f"127.0.0.1:{service.port}"})
        assert "dateline_database_up 1.0" in answer.raise_for_status().text
        for path in ("/", "/docs", "/v1/timelines", "/health/live", "/openapi.json", "/metrics/"):
            answer = asking.get(f"{other}{path}")
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        answer = asking.get(f"{service.base}/metrics", headers={"Host": f"127.0.0.1:{port}"})
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        assert asking.get(f"{service.base}/health/live").status_code == 200
        assert "/metrics" not in asking.get(f"{service.base}/openapi.json").json()["paths"]


def test_a_taken_port_of_figures_is_named(tmp_path: Path, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(tmp_path, database_url=database_url, metrics_port=port) as process:
            assert process.wait(30) == 1
            assert process.stdout is not None
            assert process.stdout.read() == ""
    said = (tmp_path / "stderr.txt").read_text()
    assert said.startswith(f"dateline: Cannot listen on 127.0.0.1 port {port}: Address already in use.")
    assert said.endswith("Choose another with DATELINE_HOST and DATELINE_METRICS_PORT.\n")


def test_without_a_database_what_is_known_is_told_soon(tmp_path: Path, database_url: str, postgres: str) -> None:
    """However many ask; and what only the database knows is not there rather than wrong."""
    name = database_url.rpartition("@/")[2].partition("?")[0]
    with running(tmp_path, database_url=database_url, worker=False, pool_size=2) as service:
        assert ask(service.base) == 200
        assert figure(service.base, "dateline_database_up") == 1
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # a test's own name
            try:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
                began = time.monotonic()
                with ThreadPoolExecutor(8) as pool:
                    answers = list(pool.map(lambda _: asking.get(f"{service.base}/metrics"), range(8)))
                assert time.monotonic() - began < 30
            finally:
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")  # as above
        for answer in answers:
            assert answer.status_code == 200
            assert "\ndateline_database_up 0.0\n" in answer.text
            assert "dateline_feed_lag_seconds" not in answer.text
            assert 'dateline_http_requests_total{method="GET",route="/v1/dates",status="2xx"} 1.0' in answer.text
        wait_until(lambda: figure(service.base, "dateline_database_up") == 1)
    assert tracebacks(tmp_path) == []
