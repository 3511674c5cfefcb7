"""Who is compared: this service and others over HTTP, and the database alone."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.exchange import Request, dump
from bench.usage import Figures
from service.embedded import find_programs

CONNECTIONS = 8
WORKERS = 2
# The plain order of all events, which an idiomatic application would index.
YARDSTICK_INDEX = "CREATE INDEX IF NOT EXISTS yardstick_idx ON event (timeline_id, start_earliest, event_id)"
HERE = Path(__file__).parents[1]
_START_SECONDS = 60


class Served(NamedTuple):
    """A server that answers HTTP on a port of this machine."""

    port: int
    pid: int


class Answered(NamedTuple):
    """An answer, with the names of its headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def dateline(url: str, tree: Path = HERE, python: str = sys.executable) -> Iterator[Served]:
    """Run the service as its operator does, out of this work tree or another one."""
    port = free_port()
    environment = {"DATELINE_DATABASE_URL": url, "DATELINE_PORT": str(port), "DATELINE_SEED": "false"}
    environment["DATELINE_WORKERS"] = str(WORKERS)
    with running([python, "-m", "service", "serve"], environment, port, "/health/live", tree) as served:
        yield served


@contextmanager
def yardstick(url: str) -> Iterator[Served]:
    """Run the idiomatic application, with as many processes, on the same loop and parser."""
    port = free_port()
    with running(uvicorn("bench.yardstick:app", port), {"YARDSTICK_URL": url}, port, "/openapi.json") as served:
        yield served


@contextmanager
def constant(document: bytes) -> Iterator[Served]:
    """Run an application of the same framework that answers the same document always, and asks no database."""
    port = free_port()
    given = {"CONSTANT_DOCUMENT": document.decode()}
    with running(uvicorn("bench.constant:app", port), given, port, "/openapi.json") as served:
        yield served


def uvicorn(application: str, port: int, python: str = sys.executable) -> list[str]:
    """Write the command that serves an application as this service is served, but for its log."""
    return [
        python, "-m", "uvicorn", application, "--port", str(port), "--loop", "uvloop",
        "--workers", str(WORKERS), "--http", "httptools", "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], port: int, path: str, tree: Path = HERE
) -> Iterator[Served]:
    """Run a server until the block ends; its log goes to a file, whose end is told if it does not start."""
    with (
        tempfile.TemporaryFile(prefix="dateline-bench-log-") as log,
        subprocess.Popen(
            command, cwd=tree, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            if not _answers(f"http://127.0.0.1:{port}{path}", process):
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - 3000))
                words = log.read().decode(errors="replace")
                raise RuntimeError(f"{' '.join(command)} did not start in {tree}:\n{words}")
            yield Served(port, process.pid)
        finally:
            process.terminate()


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310  # our own address
                return True
        except OSError:
            time.sleep(0.05)
    return False


def free_port() -> int:
    """Find a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(served: Served, request: Request) -> Answered:
    """Ask a server once, and read the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.request(request.method, request.path, request.body.encode() or None, dict(request.headers))
        answer = connection.getresponse()
        return Answered(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def ask(
    served: Served,
    requests: Sequence[str | Request],
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    status: int = 200,
) -> Figures:
    """Ask a server for these (a text is a path), from a process of its own; answers what the client tells."""
    spelt = [Request(one) if isinstance(one, str) else one for one in requests]
    answer = subprocess.run(
        [sys.executable, "-m", "bench.client", str(served.port), str(seconds), str(connections), str(status)],
        input=dump(spelt), capture_output=True, text=True, check=False, cwd=HERE,
    )  # fmt: skip
    if answer.returncode != 0:
        raise RuntimeError(answer.stderr[-4000:])
    figures: Figures = json.loads(answer.stdout)
    return figures


def ask_database(url: str, scripts: Sequence[Path], seconds: float) -> Figures:
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
    found = {
        name: re.search(pattern, answer.stdout, re.MULTILINE)
        for name, pattern in (
            ("answers", r"^number of transactions actually processed: ([0-9]+)"),
            ("per_second", r"^tps = ([0-9.]+)"),
            ("mean_ms", r"^latency average = ([0-9.]+) ms"),
        )
    }
    if answer.returncode != 0:
        raise RuntimeError(answer.stderr[-4000:])
    if found["per_second"] is None:  # it says no rate then
        raise RuntimeError("pgbench has finished nothing in its turn: give it more seconds")
    return {name: float(one[1]) for name, one in found.items() if one is not None}
