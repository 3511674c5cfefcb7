"""What goes wrong with one message, one receiver or one statement, and what must not go wrong with it."""

from __future__ import annotations

import asyncio
import threading
import time
from uuid import UUID

import psycopg
import pytest

from service.delivery.schedule import MOST_TRIES
from service.delivery.sender import Sender
from service.store import fanout
from service.store.database import Database
from service.store.dispatch import WebhookKey
from service.store.query import timeline_id_of
from service.store.statement import Connection
from service.worker import GONE, LOST, STUMBLED, Worker
from tests.factories import make_event, make_timeline
from tests.receiver import Answer, Received
from tests.worker.conftest import Bench


def test_a_message_whose_last_try_was_never_accounted_for_is_given_up(bench: Bench) -> None:
    """It may be what kills its workers; and no number of tries grows without end."""
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.run(lambda worker: worker.fan_out())
    bench.direct.execute("UPDATE webhook_delivery SET tries = %s", [MOST_TRIES - 1])
    bench.receiver.answer = lambda _: (500, {})
    for _ in range(3):
        bench.direct.execute("UPDATE webhook_delivery SET due_at = now(), state = 'pending', settled_at = NULL")
        bench.work()
    assert len(bench.receiver.received) == 1
    (one,) = bench.deliveries(hook)
    assert (one["state"], one["status"], one["error"]) == ("dead", None, LOST)


def test_what_a_fault_of_ours_keeps_from_being_sent_is_tried_on_schedule_and_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])

    def stumble(*_: object) -> bytes:
        raise RuntimeError("a fault")

    monkeypatch.setattr("service.worker.write_message", stumble)
    for tries in range(1, MOST_TRIES):
        bench.work()
        bench.work()  # which is too early for another
        (one,) = bench.deliveries(hook)
        assert (one["state"], one["tries"], one["error"]) == ("pending", tries, STUMBLED)
        bench.clock.pass_seconds(100_000)
    bench.work()
    assert [(one["state"], one["tries"]) for one in bench.deliveries(hook)] == [("dead", MOST_TRIES)]


def test_a_webhook_whose_changes_cannot_be_read_holds_up_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = bench.make_hook(), bench.make_hook()
    for hook in (bad, good):
        make_event(bench.client, hook["events"])
    bench.client.wait_for_feed()

    async def stumble(connection: Connection, key: WebhookKey, *, now: int | None = None) -> bool:
        if key.webhook_id == UUID(bad["id"]):
            raise RuntimeError("a fault")
        return await fan_out(connection, key, now=now)

    fan_out = fanout.fan_out
    monkeypatch.setattr(fanout, "fan_out", stumble)

    async def act(worker: Worker) -> None:
        running = asyncio.create_task(worker.run())
        await asyncio.to_thread(bench.receiver.wait_for, 1, 5)
        worker.stop()
        await running

    bench.run(act)
    assert [one.payload["timeline"] for one in bench.receiver.received] == [good["timeline"]]


def test_a_webhook_whose_messages_cannot_be_taken_holds_up_no_other(bench: Bench) -> None:
    hooks = [bench.make_hook() for _ in range(3)]
    for hook in hooks:
        make_event(bench.client, hook["events"])
    bench.run(lambda worker: worker.fan_out())
    bench.direct.execute("UPDATE webhook_delivery SET tries = 32767 WHERE webhook_id = %s", [hooks[0]["id"]])
    bench.work()
    assert {one.payload["timeline"] for one in bench.receiver.received} == {one["timeline"] for one in hooks[1:]}


def test_receivers_that_hang_leave_room_for_the_others(bench: Bench) -> None:
    hanging = [bench.make_hook(url=f"{bench.receiver.url}/hangs") for _ in range(6)]
    good = bench.make_hook(url=f"{bench.receiver.url}/answers")
    for hook in hanging:
        make_event(bench.client, hook["events"])
    released = threading.Event()

    def hang(request: Received) -> Answer:
        if request.path.endswith("hangs"):
            released.wait(20)
        return 204, {}

    async def act(first: Worker) -> None:
        worker = Worker(first._database, first._sender, concurrency=4, kept_days=30, clock=lambda: bench.clock.now)
        bench.receiver.answer = lambda _: (500, {})
        await worker.work_off()
        bench.receiver.answer = hang
        bench.clock.pass_seconds(10)
        for _ in range(3):
            for hook in hanging:
                make_event(bench.client, hook["events"])
        make_event(bench.client, good["events"])
        bench.client.wait_for_feed()
        await worker.fan_out()
        assert await worker.dispatch() == 3, "a receiver that failed gets one try, and all that did half of them"
        await asyncio.to_thread(bench.receiver.wait_for, 6 + 3, 5)
        released.set()
        await worker.work_off()  # now they answer, and get all

    bench.run(act)
    paths = [one.path for one in bench.receiver.received]
    assert sorted(paths[6:9]) == ["/hook/answers", "/hook/hangs", "/hook/hangs"]
    assert len(paths) == 6 + 6 + 18 + 1


def test_gone_from_a_former_address_says_nothing_of_the_present_one(bench: Bench) -> None:
    hook = bench.make_hook(url=f"{bench.receiver.url}/former")
    make_event(bench.client, hook["events"])

    def answer(request: Received) -> Answer:
        if request.path.endswith("present"):
            return 204, {}
        present = f"{bench.receiver.url}/present"
        bench.direct.execute("UPDATE webhook SET url = %s", [present])  # while the message is on its way
        return 410, {}

    bench.receiver.answer = answer
    bench.work()
    assert bench.client.read(hook["path"])["enabled"] is True
    bench.clock.pass_seconds(10)
    bench.work()
    assert [one["state"] for one in bench.deliveries(hook)] == ["delivered"]


@pytest.mark.one_server
def test_a_webhook_that_is_changed_while_its_receiver_says_gone_is_no_deadlock(bench: Bench) -> None:
    """Whoever changes a webhook and its messages locks the webhook first, as a replay and a removal do."""
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.receiver.answer = lambda _: (410, {})

    async def act(worker: Worker) -> None:
        await worker.fan_out()
        with psycopg.connect(bench.url) as other:
            other.execute("SET lock_timeout = '1s'")
            other.execute("SELECT FROM webhook WHERE webhook_id = %s FOR UPDATE", [hook["id"]])
            assert await worker.dispatch() == 1
            deadline = time.monotonic() + 5
            while not waits_for_a_lock():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
            other.execute("UPDATE webhook_delivery SET error = NULL")
        await worker.work_off()

    def waits_for_a_lock() -> bool:
        found = bench.direct.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return found.fetchone() is not None

    bench.run(act)
    assert bench.client.read(hook["path"])["disabled_reason"] == GONE


def test_what_is_old_is_forgotten_beside_the_sending_and_does_not_hold_up_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, hook = bench.make_hook(), bench.make_hook()
    make_event(bench.client, old["events"])
    bench.work()
    bench.clock.pass_seconds(40 * 86_400)
    make_event(bench.client, hook["events"])
    bench.client.wait_for_feed()
    monkeypatch.setattr("service.worker.GRACE_SECONDS", 1.0)
    database = Database(bench.url, pool_size=3, statement_timeout_seconds=30)

    async def act(_: Worker) -> None:
        await database.open()
        sender = Sender(timeout_seconds=5, allow_private=True)
        worker = Worker(database, sender, concurrency=4, kept_days=30, clock=lambda: bench.clock.now)
        with psycopg.connect(bench.url) as other:
            sent = "SELECT FROM webhook_delivery WHERE timeline_id = %s AND webhook_id = %s FOR UPDATE"
            other.execute(sent, [timeline_id_of(old["timeline"]), old["id"]])
            running = asyncio.create_task(worker.run())
            await asyncio.to_thread(bench.receiver.wait_for, 2, 5)
            began = time.monotonic()
            worker.stop()
            await running
            assert time.monotonic() - began < 3
        await database.close()

    bench.run(act)
    assert bench.receiver.received[1].payload["timeline"] == hook["timeline"]


def test_a_statement_that_hangs_does_not_hold_up_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.worker.GRACE_SECONDS", 0.2)
    make_timeline(bench.client)

    async def act(_: Worker) -> None:
        database = Database(bench.url, pool_size=3, statement_timeout_seconds=30)
        await database.open()
        worker = Worker(database, Sender(timeout_seconds=5, allow_private=True), concurrency=4, kept_days=30)
        with psycopg.connect(bench.url) as other:
            other.execute("LOCK TABLE webhook IN ACCESS EXCLUSIVE MODE")
            running = asyncio.create_task(worker.run())
            await asyncio.sleep(0.5)
            began = time.monotonic()
            worker.stop()
            await running
            assert time.monotonic() - began < 3
        await database.close()

    bench.run(act)
