from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from service.embedded import EmbeddedPostgres, find_programs

ROOT = Path(__file__).parents[2]
TARGETS = ("service", "postmaster", "both", "backend", "all")


def start_writer(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.live.writer", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )


def kill(target: str, service: int, postmaster: int) -> None:
    """Send SIGKILL to a part, or to several at once."""
    backends = [child.pid for child in psutil.Process(postmaster).children()]
    victims = {
        "service": [service],
        "postmaster": [postmaster],
        "both": [service, postmaster],
        "backend": backends[-1:],
        "all": [service, postmaster, *backends],
    }[target]
    for victim in victims:
        with suppress(ProcessLookupError):  # a backend may have ended by itself meanwhile
            os.kill(victim, signal.SIGKILL)


def kept(folder: Path) -> list[int]:
    with EmbeddedPostgres(folder) as url, psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY number")]


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_acknowledged_survives_a_kill(target: str, tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for _ in range(2):  # the second time on a folder that has already been recovered once
        with start_writer(tmp_path / "data") as writer:
            assert writer.stdout is not None
            postmaster = int(writer.stdout.readline())
            acknowledged += [int(writer.stdout.readline()) for _ in range(100)]
            kill(target, writer.pid, postmaster)
            acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
            writer.kill()
        # At once: the server of a killed process may still be ending.
        rows = kept(tmp_path / "data")
        assert rows[: len(acknowledged)] == acknowledged
        assert len(rows) <= len(acknowledged) + 1, "at most the one that was under way"
        acknowledged = rows


def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with start_writer(tmp_path / "data") as writer:
        assert writer.stdout is not None
        postmaster = psutil.Process(int(writer.stdout.readline()))
        assert writer.stdout.readline() == "1\n"
        os.kill(writer.pid, signal.SIGKILL)
        postmaster.wait(20)
    log = (tmp_path / "data" / "postgresql.log").read_text()
    assert "database system is shut down" in log, "by a clean shutdown, not a crash"
    assert kept(tmp_path / "data")


def test_a_runtime_folder_left_behind_is_removed_by_the_next_start(tmp_path: Path) -> None:
    with start_writer(tmp_path / "data") as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        runtime = Path((tmp_path / "data" / "lock").read_text().splitlines()[1])
        os.kill(writer.pid, signal.SIGKILL)
    assert runtime.is_dir()
    with EmbeddedPostgres(tmp_path / "data"):
        assert not runtime.exists()


def test_half_a_set_up_folder_is_never_taken_for_a_whole_one(tmp_path: Path, public_folder: Path) -> None:
    folder = tmp_path / "data"
    slow_programs(public_folder)
    program = (
        "import sys; from pathlib import Path; from service.embedded import EmbeddedPostgres\n"
        "from service.embedded.binaries import read_programs\n"
        "EmbeddedPostgres(Path(sys.argv[1]), programs=read_programs(Path(sys.argv[2]))).start()"
    )
    with subprocess.Popen([sys.executable, "-c", program, folder, public_folder], cwd=ROOT) as process:
        deadline = time.monotonic() + 20
        while not list(folder.glob("unfinished-*/half")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert not (folder / "postgresql").exists()
    with EmbeddedPostgres(folder) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not list(folder.glob("unfinished-*"))


def slow_programs(folder: Path) -> None:
    """Make programs whose initdb writes something, then takes its time."""
    (folder / "postgres").symlink_to(find_programs().folder / "postgres")
    (folder / "initdb").write_text('#!/bin/sh\ntouch "$2/half" "$2/PG_VERSION"\nexec sleep 30\n')
    (folder / "initdb").chmod(0o755)
