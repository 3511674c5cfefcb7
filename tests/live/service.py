"""Run the service as a person would, for tests that look at it from outside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.keys import ADMIN
from tests.prove import IS_LONG

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
# In how many processes it serves. One is what most tests run; the short form holds the same to what differs with two.
ONE_AND_TWO = (1, 2) if IS_LONG else (2,)


class Service:
    """A running service: its process, what it printed, its base URL, its port, a key that opens everything."""

    def __init__(self, process: subprocess.Popen[str], printed: str) -> None:
        self.process = process
        self.printed = printed
        self.addresses = dict(re.findall(r"^ +(page|docs|example) +(\S+)$", printed, re.MULTILINE))
        kept = re.search(r"kept in (.*admin\.key)$", printed, re.MULTILINE)
        self.key = Path(kept[1]).read_text(encoding="ascii").strip() if kept else ADMIN
        self.base: str = self.addresses["page"].removesuffix("/")
        self.port = int(self.base.rpartition(":")[2])

    def descendants(self) -> list[psutil.Process]:
        """List all processes that it started, and those that they started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def postmaster(self) -> psutil.Process:
        """Find the embedded PostgreSQL."""
        return next(child for child in psutil.Process(self.process.pid).children() if child.name() == "postgres")

    def workers(self) -> list[psutil.Process]:
        """List the server processes, where there are several."""
        return [
            child for child in psutil.Process(self.process.pid).children() if "spawn_main" in " ".join(child.cmdline())
        ]


def start(folder: Path, code: Path = ROOT, /, **settings: object) -> subprocess.Popen[str]:
    """Start `dateline serve` on a free port, in a session of its own, with these settings; its code is in `code`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DATELINE_")}
    given = {"port": 0, "data": folder / "data", **settings}
    with (folder / "stderr.txt").open("a") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            cwd=code,
            env=inherited | {f"DATELINE_{name.upper()}": str(value) for name, value in given.items()},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )


def wait_for_addresses(process: subprocess.Popen[str]) -> Service:
    """Read what it prints until the last of the addresses; a service that hangs is ended."""
    assert process.stdout is not None
    patience = threading.Timer(START_SECONDS, process.kill)
    patience.start()
    printed = ""
    for line in process.stdout:
        printed += line
        if " example " in line:
            patience.cancel()
            return Service(process, printed)
    patience.cancel()
    raise AssertionError(f"the service ended with {process.wait()}, having printed {printed!r}")


@contextmanager
def running(folder: Path, code: Path = ROOT, /, **settings: object) -> Iterator[Service]:
    """Run the service for a block; afterwards it is ended, if the block has not done so."""
    with start(folder, code, **settings) as process:
        try:
            yield wait_for_addresses(process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Read the lines that the service has logged so far: JSON, since no terminal is there."""
    return [json.loads(line) for line in (folder / "stderr.txt").read_text().splitlines() if line.startswith("{")]


def tracebacks(folder: Path) -> list[str]:
    """List what the service has said that tells of an exception, logged or fallen out of it."""
    said = (folder / "stderr.txt").read_text().splitlines()
    return [line for line in said if "Traceback" in line or '"exception": ' in line]


def wait_until_gone(processes: list[psutil.Process], seconds: float = 20) -> None:
    """Wait until none of these processes runs; one that has ended may wait to be reaped by whoever adopted it."""
    deadline = time.monotonic() + seconds
    while alive := [process for process in processes if _runs(process)]:
        assert time.monotonic() < deadline, alive
        psutil.wait_procs(alive, timeout=0.2)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
