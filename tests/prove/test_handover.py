"""Two instances on one database, each stopped and started anew in turn, under load: nobody notices."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.image.database import free_port
from tests.keys import ADMIN
from tests.live.service import running, tracebacks
from tests.prove import IS_LONG
from tests.prove.handover import Instance, hand_over

RATE, ROUNDS = (100, 4) if IS_LONG else (20, 1)
DRAIN_SECONDS = 2 if IS_LONG else 4  # ample for a balancer that asks five times a second


def instance(folder: Path, url: str, running_now: ExitStack) -> Instance:
    """Start an instance on a port that it keeps."""
    folder.mkdir()
    port = free_port()
    services = ExitStack()
    running_now.push(services)

    def start() -> None:
        started = running(folder, database_url=url, seed="false", port=port, drain_seconds=DRAIN_SECONDS)
        service = services.enter_context(started)
        processes.append(service.process)

    def stop() -> int:
        process = processes.pop()
        process.terminate()
        return process.wait(60)

    processes: list[subprocess.Popen[str]] = []
    start()
    return Instance(f"http://127.0.0.1:{port}", stop, start)


def test_nobody_notices_that_instances_are_replaced(tmp_path: Path, database_url: str) -> None:
    with ExitStack() as services:
        instances = [instance(tmp_path / name, database_url, services) for name in ("one", "two")]
        found = asyncio.run(hand_over(instances, ADMIN, rate=RATE, rounds=ROUNDS))
    sys.stdout.write(f"{found}\n")
    assert +found.outcomes == Counter({"GET 200": found.outcomes["GET 200"], "POST 201": found.outcomes["POST 201"]})
    assert found.outcomes["POST 201"] == found.acknowledged > 0
    assert found.codes == [0] * (2 * ROUNDS)
    assert (found.lost, found.doubled, found.unknown) == (0, 0, 0)
    for name in ("one", "two"):
        assert tracebacks(tmp_path / name) == []
