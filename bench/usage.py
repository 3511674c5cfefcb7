"""What processes take while something is asked of them: processor time and memory, theirs and their children's."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import psycopg

Figures = dict[str, float]
Turn = Callable[[float], Figures]


def tree(pid: int) -> list[psutil.Process]:
    """List a process and what descends from it."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def processor_seconds(pid: int) -> float:
    """Sum up the processor time of a tree of processes, those included that have ended and were waited for."""
    total = 0.0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile: its parent has its time
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def forget_peaks(pid: int) -> None:
    """Let the peaks of a tree's memory begin anew, where the system can (Linux)."""
    for process in tree(pid):
        with contextlib.suppress(OSError):
            Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


def peak_bytes(pid: int) -> int:
    """Give the most resident memory that the largest process of a tree has had since; elsewhere what it has now."""
    peaks = [0]
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            peaks.append(_high_water(process.pid) if sys.platform == "linux" else process.memory_info().rss)
    return max(peaks)


def resident_bytes(pid: int) -> dict[int, int]:
    """Give the resident memory of each process of a tree."""
    sizes = {}
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes[process.pid] = process.memory_info().rss
    return sizes


def _high_water(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0  # a process that has ended, and waits for its parent


def database_process(url: str) -> int | None:
    """Find the server process of a database, if it runs on this machine."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        try:
            backend = psutil.Process(row[0] if row else 0)
            return backend.ppid() if "postgres" in backend.name() else None
        except psutil.NoSuchProcess:
            return None


def metered(turn: Turn, processes: Mapping[str, int | None], *, watched: int | None = None) -> Turn:
    """Have a turn tell, too, what each of these took for an answer, and the peak of the watched one's memory."""
    named = {name: pid for name, pid in processes.items() if pid is not None}

    def run(seconds: float) -> Figures:
        if watched is not None:
            forget_peaks(watched)
        before = {name: processor_seconds(pid) for name, pid in named.items()}
        figures = turn(seconds)
        for name, pid in named.items():
            figures[f"{name}_cpu_ms"] = (processor_seconds(pid) - before[name]) / figures["answers"] * 1000
        if watched is not None:
            figures["peak_bytes"] = peak_bytes(watched)
        return figures

    return run
