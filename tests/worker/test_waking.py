"""What has a worker look for work."""

from __future__ import annotations

import asyncio

import pytest

from service.settings import Settings
from service.store.listening import Listener
from service.store.pulse import Pulse
from service.worker import working
from tests.factories import make_event
from tests.worker.conftest import Bench


def test_a_worker_hears_of_changes_and_does_not_wait_until_it_looks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.worker.POLL_SECONDS", 600)
    hook = bench.make_hook()
    listener = Listener(bench.url)

    async def run() -> None:
        async with listener.run(), working(Settings(webhook_allow_private=True), bench.url, listener, Pulse()):
            await asyncio.sleep(0.5)
            for _ in range(20):  # a change that waits for the horizon is heard of when the next one comes
                make_event(bench.client, hook["events"])
                await asyncio.sleep(0.2)
                if bench.receiver.received:
                    return

    asyncio.run(run())
    assert bench.receiver.received
