from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import psutil
import psycopg
import pytest

from tests.servers import throwaway_postgres


def test_a_database_is_migrated_and_empty(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM timeline").fetchone()
    assert row == (0,)


def test_the_server_is_the_one_that_was_asked_for(database_url: str, request: pytest.FixtureRequest) -> None:
    with psycopg.connect(database_url) as connection:
        major = connection.info.server_version // 10000
    if request.config.getoption("--postgres") == "embedded":
        assert major == 18
    else:
        assert major >= 15


def test_nothing_stays_behind_after_the_tests() -> None:
    with throwaway_postgres() as url:
        socket_folder = Path(unquote(url.split("host=")[1]))
        assert socket_folder.exists()
        server = server_process(socket_folder)
    assert not server.is_running()
    assert not socket_folder.parent.exists()


def test_nothing_stays_behind_when_the_tests_are_killed() -> None:
    program = (
        "import sys, time; from tests.servers import throwaway_postgres\n"
        "with throwaway_postgres() as url: print(url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as tests:
        assert tests.stdout is not None
        socket_folder = Path(unquote(tests.stdout.readline().strip().split("host=")[1]))
        server = server_process(socket_folder)
        data = Path(server.cmdline()[server.cmdline().index("-D") + 1])
        holder = psutil.Process(server.ppid())
        os.kill(tests.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs([server, holder], timeout=20)
    assert len(gone) == 2
    assert not alive
    assert not socket_folder.parent.exists()
    if data.is_absolute() and not str(data).startswith("/proc/"):
        assert not data.parent.exists()


def server_process(socket_folder: Path) -> psutil.Process:
    """Find the postmaster by the process id in its socket's lock file."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        lock = socket_folder / ".s.PGSQL.5432.lock"
        if lock.exists():
            return psutil.Process(int(lock.read_text().splitlines()[0]))
        time.sleep(0.05)
    raise AssertionError(f"no server in {socket_folder}")
