"""How several server processes share a port: evenly, and with no other service."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import uvicorn
from uvicorn.supervisors import multiprocess

from service import listeners
from service.serving import Supervisor
from tests.live.service import Service, running, start
from tests.waiting import wait_until

CLIENTS = 60
# Of so many thrown like a coin, fewer fall on one side once in ten million times.
LEAST = 10


def sockets(service: Service, status: str) -> list[int]:
    """Count the sockets of this status that each server process has on the service's port."""
    return [
        sum(one.status == status and one.laddr.port == service.port for one in worker.net_connections())
        for worker in service.workers()
    ]


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere the system does not spread connections")
def test_connections_are_spread_over_the_server_processes(tmp_path: Path, database_url: str) -> None:
    """Those that come at once, too: whoever is the first to see them leaves the others theirs."""
    with running(tmp_path, database_url=database_url, workers=2) as service, ExitStack() as clients:
        wait_until(lambda: min(sockets(service, psutil.CONN_LISTEN)) > 1)
        first, second = service.workers()
        first.suspend()
        second.suspend()
        try:
            for _ in range(CLIENTS):
                clients.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        finally:
            first.resume()
            time.sleep(0.5)
            second.resume()
        wait_until(lambda: sum(sockets(service, psutil.CONN_ESTABLISHED)) == CLIENTS)
        assert min(sockets(service, psutil.CONN_ESTABLISHED)) >= LEAST


def test_what_is_taken_by_another_service_is_shared_with_none(tmp_path: Path, database_url: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with (
        running(first, database_url=database_url, workers=2) as service,
        start(second, database_url=database_url, workers=2, port=service.port) as process,
    ):
        assert process.wait(30) == 1
    said = (second / "stderr.txt").read_text()
    assert said.startswith(f"dateline: Cannot listen on 127.0.0.1 port {service.port}: Address already in use.")


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere a process has no sockets of its own")
def test_a_process_that_cannot_answer_yet_is_given_no_connection() -> None:
    with listeners.listen("127.0.0.1", 0, is_shared=True) as shared:
        _, *own = listeners.spread([shared])
        assert own
        for one in own:
            with pickle.loads(pickle.dumps(one)) as arrived:  # noqa: S301  # our own, on its way to a process
                assert arrived.getsockname() == shared.getsockname()
                assert not arrived.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                with socket.create_connection(shared.getsockname()), shared.accept()[0]:
                    pass


class _Ending:
    """A server process that ends just when it is asked whether it lives."""

    pid, exitcode = 7, None

    def __init__(self, *_: object) -> None:
        pass

    def is_alive(self, timeout: float) -> bool:
        self.exitcode = -int(timeout)
        return False

    def kill(self) -> None:
        pass

    join = start = kill


def test_whenever_a_process_ends_it_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(multiprocess, "Process", _Ending)
    supervisor = Supervisor.__new__(Supervisor)  # making one takes signals over
    supervisor.config, supervisor.sockets = uvicorn.Config("none", timeout_worker_healthcheck=9), []
    supervisor.should_exit = threading.Event()
    supervisor.processes = [_Ending()]  # type: ignore[list-item]  # as far as it is looked at
    with caplog.at_level(logging.WARNING, "dateline.serving"):
        supervisor.keep_subprocess_alive()
    assert caplog.messages == ["server process 7 ended with status -9: another takes its place"]
