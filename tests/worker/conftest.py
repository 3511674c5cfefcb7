"""A service without a worker of its own, and workers that a test runs when it wants to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from service.delivery.sender import Sender
from service.store.database import Database
from service.worker import Worker
from tests.client import Client, connected
from tests.conftest import fresh_database
from tests.factories import make_timeline
from tests.receiver import Receiver, receiving

SECOND = 1_000_000


class Clock:
    """A clock that a test moves on, in microseconds since 1970."""

    def __init__(self) -> None:
        self.now = time.time_ns() // 1000 + 60 * SECOND  # what the database has dated is past

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


class Bench:
    """What a test of the worker works with."""

    def __init__(self, url: str, client: Client, receiver: Receiver, direct: psycopg.Connection) -> None:
        self.url = url
        self.client = client
        self.receiver = receiver
        self.direct = direct
        self.clock = Clock()

    def make_hook(self, events: str | None = None, **members: object) -> dict[str, Any]:
        """Make a webhook that leads to the receiver; `events` is the path of a timeline's events."""
        hooks = (events or make_timeline(self.client)).removesuffix("/events") + "/webhooks"
        answer = self.client.post(hooks, {"url": self.receiver.url} | members)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made | {"path": f"{hooks}/{made['id']}", "events": hooks.removesuffix("/webhooks") + "/events"}

    def work(self, *, allow_private: bool = True, timeout_seconds: float = 5, kept_days: float = 30) -> None:
        """Have a worker do all that is to be done now, by the test's clock."""
        self.run(
            lambda worker: worker.work_off(),
            allow_private=allow_private,
            timeout_seconds=timeout_seconds,
            kept_days=kept_days,
        )

    def run(
        self,
        act: Callable[[Worker], Any],
        *,
        allow_private: bool = True,
        timeout_seconds: float = 5,
        kept_days: float = 30,
        feed_kept_days: float | None = None,
        settled: bool = True,
    ) -> None:
        if settled:  # a worker sees what the feed shows, and that may take a moment
            self.client.wait_for_feed()

        async def run() -> None:
            database = Database(self.url, pool_size=2, statement_timeout_seconds=5)
            await database.open()
            sender = Sender(
                timeout_seconds=timeout_seconds,
                allow_private=allow_private,
                clock=lambda: self.clock.now / SECOND,
            )
            worker = Worker(
                database,
                sender,
                concurrency=16,
                kept_days=kept_days,
                feed_kept_days=feed_kept_days,
                clock=lambda: self.clock.now,
            )
            try:
                await act(worker)
            finally:
                await database.close()

        asyncio.run(run())

    def deliveries(self, hook: dict[str, Any], **parameters: str) -> list[dict[str, Any]]:
        """List what became of the messages, the oldest change first."""
        return self.client.walk(f"{hook['path']}/deliveries", **parameters)[::-1]


@pytest.fixture(scope="module")
def worker_database_url(postgres: str, template: str) -> Iterator[str]:
    with fresh_database(postgres, template) as url:
        yield url


@pytest.fixture
def bench(worker_database_url: str) -> Iterator[Bench]:
    """Answer what a test of the worker works with; no webhook is left from the test before."""
    with (
        connected(worker_database_url, webhook_allow_private=True) as client,
        receiving() as receiver,
        psycopg.connect(worker_database_url, autocommit=True) as direct,
    ):
        direct.execute("DELETE FROM webhook")
        yield Bench(worker_database_url, client, receiver, direct)
