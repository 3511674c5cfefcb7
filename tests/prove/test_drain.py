"""A service that is told to stop in the midst of its work fails nobody, and has ended soon."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.service import Service, running, tracebacks
from tests.prove import IS_LONG
from tests.prove.drain import BATCHES, BODIES, EXPORTS, KEPT, STREAMS, WRITES, Target, drain

FORMS = [(1, 0), (2, 0), (1, 1), (2, 1)] if IS_LONG else [(2, 1)]


@pytest.mark.parametrize(("workers", "drain_seconds"), FORMS)
def test_whoever_is_under_way_is_answered(
    workers: int, drain_seconds: float, tmp_path: Path, database_url: str
) -> None:
    with ExitStack() as services:

        def start() -> Service:
            return services.enter_context(
                running(tmp_path, database_url=database_url, seed="false", workers=workers, drain_seconds=drain_seconds)
            )

        service = start()
        target = Target(
            service.base,
            service.key,
            database_url,
            stop=lambda: service.process.send_signal(signal.SIGTERM),
            wait=lambda: service.process.wait(60),
            start=lambda: start().base,
        )
        found = asyncio.run(drain(target))
    sys.stdout.write(f"{workers} processes that drain for {drain_seconds} s: {found}\n")
    assert found.code == 0
    assert found.seconds < 10 + drain_seconds
    assert found.under_way == {
        "writes 201": WRITES,
        "batches 200": BATCHES,
        "slow bodies 201": BODIES,
        "whole exports": EXPORTS,
    }
    assert found.streams == {"ended": STREAMS, "resumed without a gap": STREAMS}
    assert found.kept == {"told and ended": KEPT, "idle, ended": 1}
    assert found.newcomers["broken"] == 0
    assert found.newcomers["refused"] > 0
    assert tracebacks(tmp_path) == []
