"""Who is compared: this service and the yardstick over HTTP, and the database alone."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from service.embedded import find_programs

CONNECTIONS = 8
WORKERS = 2
# The plain order of all events, which an idiomatic application would index.
YARDSTICK_INDEX = "CREATE INDEX IF NOT EXISTS yardstick_idx ON event (timeline_id, start_earliest, event_id)"
_HERE = Path(__file__).parents[1]
_START_SECONDS = 60


class Served(NamedTuple):
    """A server that answers HTTP on a port of this machine."""

    port: int
    pid: int


@contextmanager
def dateline(url: str) -> Iterator[Served]:
    """Run the service as its operator does."""
    port = _free_port()
    environment = {"DATELINE_DATABASE_URL": url, "DATELINE_PORT": str(port), "DATELINE_SEED": "false"}
    environment["DATELINE_WORKERS"] = str(WORKERS)
    command = [sys.executable, "-m", "service", "serve"]
    with _running(command, environment, port, "/health/live") as served:
        yield served


@contextmanager
def yardstick(url: str) -> Iterator[Served]:
    """Run the idiomatic application, with as many processes, on the same loop and parser."""
    port = _free_port()
    command = [
        sys.executable, "-m", "uvicorn", "bench.yardstick:app", "--port", str(port), "--loop", "uvloop",
        "--workers", str(WORKERS), "--http", "httptools", "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
    with _running(command, {"YARDSTICK_URL": url}, port, "/openapi.json") as served:
        yield served


@contextmanager
def _running(command: Sequence[str], environment: dict[str, str], port: int, path: str) -> Iterator[Served]:
    with subprocess.Popen(command, cwd=_HERE, env={**os.environ, **environment}, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}{path}", process)
            yield Served(port, process.pid)
        finally:
            process.terminate()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310  # our own address
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no answer from {address}") from None
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(served: Served, paths: Sequence[str], seconds: float) -> dict[str, float]:
    """Ask a server for these paths, from a process of its own."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.client", str(served.port), str(seconds), str(CONNECTIONS)],
        input="\n".join(paths), capture_output=True, text=True, check=False, cwd=_HERE,
    )  # fmt: skip
    if answer.returncode != 0:
        raise RuntimeError(answer.stderr[-2000:])
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


def ask_database(url: str, scripts: Sequence[Path], seconds: float) -> dict[str, float]:
    """Have pgbench run these statements, prepared, over as many connections."""
    files = [argument for script in scripts for argument in ("-f", str(script))]
    answer = subprocess.run(
        [
            find_programs().folder / "pgbench", "--no-vacuum", "--protocol=prepared",
            f"--client={CONNECTIONS}", "--jobs=1", f"--time={max(1, round(seconds))}", *files, url,
        ],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PGOPTIONS": "-c TimeZone=UTC -c jit=off"},
    )  # fmt: skip
    rate = re.search(r"^tps = ([0-9.]+)", answer.stdout, re.MULTILINE)
    if rate is None:
        raise RuntimeError(answer.stderr[-2000:])
    latency = re.search(r"^latency average = ([0-9.]+) ms", answer.stdout, re.MULTILINE)
    return {"per_second": float(rate[1]), "mean_ms": float(latency[1]) if latency else 0.0}
