"""The memory that the service takes while it exports everything as NDJSON."""

from __future__ import annotations

import http.client
import threading
import time
from typing import TypedDict

import psutil

from bench.contestants import Served
from bench.events import TIMELINE

_SAMPLE_SECONDS = 0.02


class ExportFigures(TypedDict):
    """What an export took; bytes are those of the largest of the server's processes."""

    events: int
    seconds: float
    idle_bytes: int
    peak_bytes: int


def measure(served: Served) -> ExportFigures:
    """Read the whole export, and watch the server's resident memory."""
    parent = psutil.Process(served.pid)
    processes = [parent, *parent.children(recursive=True)]

    def largest() -> int:
        return max(process.memory_info().rss for process in processes)

    idle = peak = largest()
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(_SAMPLE_SECONDS):
            peak = max(peak, largest())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        events = _read(served.port)
    finally:
        stop.set()
        watcher.join()
    return ExportFigures(events=events, seconds=time.perf_counter() - began, idle_bytes=idle, peak_bytes=peak)


def _read(port: int) -> int:
    """Count the lines of the export."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", f"/v1/timelines/{TIMELINE}/events", headers={"Accept": "application/x-ndjson"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"the export answered {answer.status}")
        lines = 0
        while piece := answer.read1(1 << 20):
            lines += piece.count(b"\n")
        return lines
    finally:
        connection.close()
