"""What a worker sends, when, and what becomes of it, by a clock that the test moves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from typing import Any

import psycopg
import pytest

from service.delivery.schedule import JITTER, RETRY_DELAYS_SECONDS
from service.delivery.sender import Message, Outcome, Sender
from service.store.epoch import enter_epoch_at
from service.worker import GONE, Worker
from tests.factories import make_actor, make_event, make_timeline, path_of, tag_of
from tests.receiver import Received
from tests.worker.conftest import Bench


def is_signed(request: Received, secret: str) -> bool:
    """Check a signature as a receiver does, with nothing of ours."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return expected in request.headers["webhook-signature"].split(" ")


def test_every_change_is_sent_with_the_item_of_the_feed(bench: Bench) -> None:
    hook = bench.make_hook()
    event = make_event(bench.client, hook["events"], title="Réunion")
    bench.client.patch(path_of(event), {"title": "Moved"}, tag_of(event))
    bench.client.delete(path_of(event), '"2"')
    bench.work()
    feed = bench.client.read(hook["events"].removesuffix("/events") + "/changes")["items"]
    assert [one["operation"] for one in feed] == ["created", "amended", "deleted"]
    received = sorted(bench.receiver.received, key=lambda one: one.item["version"])
    assert [one.item for one in received] == feed
    for request, item in zip(received, feed, strict=True):
        assert request.payload == {
            "type": f"event.{item['operation']}",
            "timestamp": item["recorded_at"],
            "timeline": hook["timeline"],
            "data": item,
        }
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"].startswith("dateline/")
        assert int(request.headers["webhook-timestamp"]) == bench.clock.now // 1_000_000
        assert is_signed(request, hook["secret"])
    assert [(one["state"], one["status"], one["tries"]) for one in bench.deliveries(hook)] == [
        ("delivered", 204, 1)
    ] * 3
    assert [one["id"] for one in bench.deliveries(hook)] == [one.message_id for one in received]
    bench.work()
    assert len(bench.receiver.received) == 3


def test_only_what_happens_from_now_on_is_sent(bench: Bench) -> None:
    events = make_timeline(bench.client)
    make_event(bench.client, events, title="Before")
    bench.make_hook(events)
    make_event(bench.client, events, title="After")
    bench.work()
    assert [one.item["document"]["title"] for one in bench.receiver.received] == ["After"]


def test_only_what_was_asked_for_is_sent(bench: Bench) -> None:
    events = make_timeline(bench.client)
    actor = make_actor(bench.client)
    bench.make_hook(events, operations=["amended"])
    bench.make_hook(
        events, filter={"kind": ["meeting"], "status": ["planned", "occurred"]}, url=bench.receiver.url + "/2"
    )
    bench.make_hook(events, filter={"actor": [actor]}, operations=["created", "deleted"], url=bench.receiver.url + "/3")
    make_event(bench.client, events, title="A", kind="meeting")
    other = make_event(bench.client, events, title="B", kind="speech", participants=[{"actor": actor}])
    bench.client.patch(path_of(other), {"title": "C"}, tag_of(other))
    bench.client.delete(path_of(other), '"2"')
    bench.work()
    told: dict[str, list[tuple[str, str]]] = {}
    for one in bench.receiver.received:
        title = "" if one.item["document"] is None else one.item["document"]["title"]
        told.setdefault(one.path, []).append((one.item["operation"], title))
    assert {path: sorted(items) for path, items in told.items()} == {
        "/hook": [("amended", "C")],
        "/hook/2": [("created", "A"), ("deleted", "")],
        "/hook/3": [("created", "B"), ("deleted", "")],
    }


def test_a_private_timeline_is_told_of_to_its_own_webhook_alone(bench: Bench) -> None:
    private = make_timeline(bench.client, visibility="private")
    bench.make_hook(private, url=bench.receiver.url + "/private")
    bench.make_hook(url=bench.receiver.url + "/public")
    make_event(bench.client, private)
    bench.work()
    assert [one.path for one in bench.receiver.received] == ["/hook/private"]


def test_a_rotated_secret_signs_beside_the_new_one_for_its_time(bench: Bench) -> None:
    hook = bench.make_hook()
    old = hook["secret"]
    new = bench.client.post(f"{hook['path']}/secrets", {"grace_seconds": 3600}).json()["secret"]
    make_event(bench.client, hook["events"])
    bench.work()
    bench.clock.pass_seconds(2 * 3600)
    make_event(bench.client, hook["events"])
    bench.work()
    first, second = bench.receiver.received
    assert (is_signed(first, old), is_signed(first, new)) == (True, True)
    assert (is_signed(second, old), is_signed(second, new)) == (False, True)
    assert len(first.headers["webhook-signature"].split(" ")) == 2


def test_ten_tries_on_schedule_then_dead(bench: Bench) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.receiver.answer = lambda _: (500, {})
    bench.work()
    began = bench.clock.now
    for tries, delay in enumerate(RETRY_DELAYS_SECONDS, start=1):
        (one,) = bench.deliveries(hook)
        assert (one["state"], one["tries"], one["status"], one["error"]) == ("pending", tries, 500, "answered 500")
        bench.clock.pass_seconds(delay * (1 - JITTER) - 0.01)
        bench.work()
        assert len(bench.receiver.received) == tries, "tried too early"
        bench.clock.pass_seconds(delay * 2 * JITTER + 0.02)
        bench.work()
        assert len(bench.receiver.received) == tries + 1, "not tried in time"
    assert 3 <= (bench.clock.now - began) / 86_400_000_000 <= 3.6
    (one,) = bench.deliveries(hook, state="dead")
    assert (one["tries"], one["due_at"], one["settled_at"] is None) == (10, None, False)
    bench.clock.pass_seconds(30 * 86_400)
    bench.work()
    assert len(bench.receiver.received) == 10
    assert len({one.message_id for one in bench.receiver.received}) == 1
    stamps = [int(one.headers["webhook-timestamp"]) for one in bench.receiver.received]
    assert stamps == sorted(set(stamps)), "each try is stamped anew"
    assert all(is_signed(one, hook["secret"]) for one in bench.receiver.received)
    assert bench.client.read(hook["path"])["enabled"] is True


def test_a_dead_message_can_be_tried_again(bench: Bench) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.receiver.answer = lambda _: (500, {})
    for _ in range(10):
        bench.work()
        bench.clock.pass_seconds(100_000)
    (dead,) = bench.deliveries(hook, state="dead")
    assert bench.deliveries(hook, state="pending") == bench.deliveries(hook, state="delivered") == []
    bench.receiver.answer = lambda _: (200, {})
    answer = bench.client.send("POST", f"{hook['path']}/deliveries/{dead['id']}/retry")
    assert (answer.status_code, answer.json()["state"], answer.json()["tries"]) == (202, "pending", 0)
    bench.work()
    (one,) = bench.deliveries(hook)
    assert (one["id"], one["state"], one["tries"], one["error"]) == (dead["id"], "delivered", 1, None)
    assert len(bench.receiver.received) == 11


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_counts_as_taken(bench: Bench, status: int) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.receiver.answer = lambda _: (status, {"Retry-After": "100"})
    bench.work()
    (one,) = bench.deliveries(hook)
    assert (one["state"], one["status"]) == ("delivered", status)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 429, 500, 503])
def test_all_else_is_tried_again_and_no_redirect_followed(bench: Bench, status: int) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    answers = iter([(status, {"Location": bench.receiver.url + "/elsewhere"}), (204, {})])
    bench.receiver.answer = lambda _: next(answers)
    bench.work()
    (one,) = bench.deliveries(hook)
    assert (one["state"], one["status"]) == ("pending", status)
    bench.clock.pass_seconds(10)
    bench.work()
    assert [one["state"] for one in bench.deliveries(hook)] == ["delivered"]
    assert [one.path for one in bench.receiver.received] == ["/hook", "/hook"]


def test_a_receiver_that_asks_for_time_gets_it(bench: Bench) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.receiver.answer = lambda _: (503, {"Retry-After": "600"})
    bench.work()
    bench.clock.pass_seconds(599)
    bench.work()
    assert len(bench.receiver.received) == 1
    bench.clock.pass_seconds(2)
    bench.work()
    assert len(bench.receiver.received) == 2


def test_gone_disables_until_a_client_enables_again_and_nothing_is_lost(bench: Bench) -> None:
    hook = bench.make_hook()
    event = make_event(bench.client, hook["events"])
    bench.receiver.answer = lambda _: (410, {})
    bench.work()
    read = bench.client.get(hook["path"])
    assert (read.json()["enabled"], read.json()["disabled_reason"], read.headers["etag"]) == (False, GONE, '"2"')
    bench.client.patch(path_of(event), {"title": "Meanwhile"}, tag_of(event))
    bench.clock.pass_seconds(400_000)
    bench.work()
    assert len(bench.receiver.received) == 1
    bench.receiver.answer = lambda _: (204, {})
    kept = bench.client.patch(hook["path"], {"description": "still"}, '"2"').json()
    assert (kept["enabled"], kept["disabled_reason"]) == (False, GONE)
    enabled = bench.client.patch(hook["path"], {"enabled": True}, '"3"').json()
    assert (enabled["enabled"], enabled["disabled_reason"]) == (True, None)
    bench.work()
    assert [one["state"] for one in bench.deliveries(hook)] == ["delivered", "delivered"]
    assert sorted(one.item["version"] for one in bench.receiver.received) == [1, 1, 2]


def test_a_webhook_disabled_on_request_is_sent_nothing(bench: Bench) -> None:
    hook = bench.make_hook(enabled=False)
    assert hook["disabled_reason"] == "disabled on request"
    make_event(bench.client, hook["events"])
    bench.work()
    assert bench.receiver.received == []
    bench.client.patch(hook["path"], {"enabled": True}, '"1"')
    bench.work()
    assert len(bench.receiver.received) == 1


def test_a_replay_sends_again_under_the_same_identity(bench: Bench) -> None:
    events = make_timeline(bench.client)
    make_event(bench.client, events, title="0")
    hook = bench.make_hook(events)
    for title in "123":
        make_event(bench.client, events, title=title)
    bench.work()
    first = {one.item["document"]["title"]: one.message_id for one in bench.receiver.received}
    assert sorted(first) == ["1", "2", "3"]
    cursor = bench.client.read(events.removesuffix("/events") + "/changes")["items"][1]["cursor"]

    def replayed(after: str | None) -> dict[str, str]:
        before = len(bench.receiver.received)
        assert bench.client.post(f"{hook['path']}/replay", {"after": after}).status_code == 202
        bench.work()
        return {one.item["document"]["title"]: one.message_id for one in bench.receiver.received[before:]}

    assert replayed(cursor) == {title: first[title] for title in "23"}
    everything = replayed(None)
    assert sorted(everything) == ["0", "1", "2", "3"]
    assert {title: everything[title] for title in "123"} == first
    assert [one["state"] for one in bench.deliveries(hook)] == ["delivered"] * 4


def test_messages_of_two_webhooks_have_identities_of_their_own(bench: Bench) -> None:
    events = make_timeline(bench.client)
    bench.make_hook(events)
    bench.make_hook(events)
    make_event(bench.client, events)
    bench.work()
    assert len({one.message_id for one in bench.receiver.received}) == 2


def test_nothing_is_sent_to_a_private_address_unless_that_is_allowed(bench: Bench) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.work(allow_private=False)
    assert bench.receiver.received == []
    (one,) = bench.deliveries(hook)
    assert (one["state"], one["status"]) == ("pending", None)
    assert one["error"] == "the host has an address to which nothing is sent"
    bench.clock.pass_seconds(10)
    bench.work()
    assert len(bench.receiver.received) == 1


def test_a_receiver_that_does_not_answer_costs_its_time_and_is_tried_again(bench: Bench) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    answer = threading.Event()
    bench.receiver.answer = lambda _: (answer.wait(20), (204, {}))[1]
    bench.work(timeout_seconds=0.3)
    answer.set()
    (one,) = bench.deliveries(hook)
    assert (one["state"], one["status"], one["error"]) == ("pending", None, "no answer within 0.3 s")


def test_first_tries_begin_in_the_order_of_the_feed(bench: Bench) -> None:
    hook = bench.make_hook()
    event = make_event(bench.client, hook["events"])
    for version in range(1, 40):
        bench.client.patch(path_of(event), {"title": str(version)}, f'"{version}"')
    begun: list[int] = []

    class Recorder(Sender):
        async def send(self, message: Message) -> Outcome:
            begun.append(json.loads(message.body)["data"]["version"])
            return await super().send(message)

    async def act(worker: Worker) -> None:
        worker._sender = Recorder(timeout_seconds=5, allow_private=True)
        await worker.work_off()

    bench.run(act)
    assert begun == list(range(1, 41))
    assert sorted(one.item["version"] for one in bench.receiver.received) == begun


def test_what_was_settled_long_ago_is_forgotten_and_expired_secrets_too(bench: Bench) -> None:
    hook = bench.make_hook()
    make_event(bench.client, hook["events"])
    bench.work()
    bench.client.post(f"{hook['path']}/secrets", {"grace_seconds": 1})
    bench.run(lambda worker: worker.tidy(), kept_days=7)
    assert len(bench.deliveries(hook)) == 1
    bench.direct.execute("UPDATE webhook_secret SET expires_at = now() - interval '1 s' WHERE expires_at IS NOT NULL")
    bench.clock.pass_seconds(8 * 86_400)
    bench.run(lambda worker: worker.tidy(), kept_days=7)
    assert bench.deliveries(hook) == []
    assert len(bench.client.read(hook["path"])["secrets"]) == 1
    assert bench.direct.execute("SELECT count(*) FROM webhook_secret").fetchall() == [(1,)]


def test_changes_that_the_feed_keeps_no_longer_are_swept(bench: Bench) -> None:
    events = make_timeline(bench.client)
    for _ in range(3):
        make_event(bench.client, events)
    bench.direct.execute(
        "UPDATE change SET recorded_at = now() - interval '8 days' WHERE sequence < (SELECT max(sequence) FROM change)"
    )
    feed = events.removesuffix("/events") + "/changes"
    bench.run(lambda worker: worker.tidy())
    assert len(bench.client.read(feed)["items"]) == 3
    bench.run(lambda worker: worker.tidy(), feed_kept_days=7)
    assert len(bench.client.read(feed)["items"]) == 1


def test_a_database_that_was_restored_elsewhere_sends_nothing_until_told_to(bench: Bench) -> None:
    """A copy of the database must not go on where the original does."""
    hook = bench.make_hook()
    first = make_event(bench.client, hook["events"])
    bench.run(lambda worker: worker.fan_out())
    bench.direct.execute("UPDATE feed SET home = ''")  # as whoever puts base backups back is to do
    enter_epoch_at(bench.url)
    begun: list[int] = []

    async def dispatch(worker: Worker) -> None:
        begun.append(await worker.dispatch())

    bench.run(dispatch)
    assert begun == [0], "what had been taken out of the feed before goes out from the copy too"
    bench.client.patch(path_of(first), {"title": "In the copy"}, tag_of(first))
    bench.work()
    assert bench.receiver.received == []
    read = bench.client.read(hook["path"])
    assert read["enabled"] is False
    assert "restored" in read["disabled_reason"]
    bench.client.patch(hook["path"], {"enabled": True}, "*")
    bench.work()
    assert sorted(one.item["version"] for one in bench.receiver.received) == [1, 2]


def test_what_the_feed_no_longer_holds_is_said_and_not_skipped_silently(bench: Bench) -> None:
    hook = bench.make_hook(enabled=False)
    for _ in range(3):
        make_event(bench.client, hook["events"])
    bench.client.patch(hook["path"], {"enabled": True}, '"1"')
    bench.direct.execute(
        "INSERT INTO feed_floor SELECT timeline_id, epoch, transaction_id, sequence FROM change "
        "WHERE sequence = (SELECT max(sequence) - 1 FROM change)"
    )
    bench.work()
    read = bench.client.read(hook["path"])
    assert (read["enabled"], bench.receiver.received) == (False, [])
    assert "no longer holds" in read["disabled_reason"]
    bench.client.patch(hook["path"], {"enabled": True}, "*")
    bench.work()
    assert len(bench.receiver.received) == 1


def test_a_purged_event_is_told_of_without_its_document(bench: Bench) -> None:
    """Even a message that waited while its event was removed for good must not bring it back."""
    hook = bench.make_hook()
    event = make_event(bench.client, hook["events"], title="Secret")
    bench.run(lambda worker: worker.fan_out())
    key = [event["id"]]
    for table in ("event_state", "change", "event"):
        bench.direct.execute(f"DELETE FROM {table} WHERE event_id = %s", key)  # noqa: S608  # a test's tables
    bench.work()
    (request,) = bench.receiver.received
    assert request.item["document"] is None
    assert b"Secret" not in request.body


def test_a_transaction_that_holds_the_horizon_up_delays_and_loses_nothing(bench: Bench) -> None:
    hook = bench.make_hook()
    with psycopg.connect(bench.url) as other:
        other.execute("SELECT pg_current_xact_id()")
        make_event(bench.client, hook["events"], title="Held up")
        bench.run(lambda worker: worker.work_off(), settled=False)
        assert bench.receiver.received == []
    bench.work()
    assert [one.item["document"]["title"] for one in bench.receiver.received] == ["Held up"]


def test_many_workers_send_each_message_exactly_once(bench: Bench) -> None:
    hooks = [bench.make_hook(url=f"{bench.receiver.url}/{i}") for i in range(3)]
    for hook in hooks:
        for i in range(40):
            make_event(bench.client, hook["events"], title=str(i))

    async def together(worker: Worker) -> None:
        async with asyncio.TaskGroup() as group:
            for one in [worker, *others]:
                group.create_task(one.work_off())

    others: list[Any] = []

    async def run(first: Worker) -> None:
        others.extend(
            Worker(first._database, first._sender, concurrency=16, kept_days=30, clock=lambda: bench.clock.now)
            for _ in range(3)
        )
        await together(first)

    bench.run(run)
    bench.work()
    received = bench.receiver.received
    assert len(received) == 120
    assert len({one.message_id for one in received}) == 120
    for i, hook in enumerate(hooks):
        titles = [one.item["document"]["title"] for one in received if one.path == f"/hook/{i}"]
        assert sorted(titles, key=int) == [str(i) for i in range(40)]
        assert {one["state"] for one in bench.deliveries(hook)} == {"delivered"}
