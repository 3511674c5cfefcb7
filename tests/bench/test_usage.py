"""What processes take, and what becomes of memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from bench.memory import course
from bench.usage import database_process, metered, peak_bytes, processor_seconds, resident_bytes

# The system counts a processor's time by hundredths of a second, each kind of it by itself: work for many of these.
WORK_SECONDS = 1.0
WORKING = f"import time\nend = time.process_time() + {WORK_SECONDS}\nwhile time.process_time() < end: pass"


def test_the_time_of_children_counts_when_they_have_ended() -> None:
    before = processor_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", WORKING], check=True)
    assert processor_seconds(os.getpid()) - before >= 0.95 * WORK_SECONDS


def test_a_turn_is_metered_by_its_answers() -> None:
    def turn(seconds: float) -> dict[str, float]:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return {"answers": 4.0}

    figures = metered(turn, {"server": os.getpid(), "database": None}, watched=os.getpid())(WORK_SECONDS)
    assert figures["server_cpu_ms"] >= 0.95 * WORK_SECONDS * 1000 / 4
    assert figures["peak_bytes"] > 1e6
    assert "database_cpu_ms" not in figures


def test_the_peak_is_that_of_the_largest_process() -> None:
    hungry = "x = bytearray(300_000_000); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hungry], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert peak_bytes(os.getpid()) >= 300_000_000
        assert resident_bytes(os.getpid())[child.pid] >= 300_000_000


def test_the_database_is_found_by_asking_it(database_url: str) -> None:
    found = database_process(database_url)
    assert found is not None
    assert "postgres" in psutil.Process(found).name()


def test_memory_that_fills_up_once_has_no_slope() -> None:
    filling = [(float(at), min(100 + at, 130)) for at in range(100)]
    assert course(filling) == (100, 130, 130, 0)
    growing = [(float(at), 100 + 2 * at) for at in range(100)]
    assert course(growing).bytes_an_hour == pytest.approx(7200)
