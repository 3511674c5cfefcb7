"""What `/metrics` says of messages that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.factories import make_event
from tests.worker.conftest import Bench

HOUR = 3600


def figures(bench: Bench) -> dict[str, float]:
    found = {}
    for line in bench.client.get("/metrics").text.splitlines():
        name, _, value = line.partition(" ")
        if name.startswith("dateline_webhook"):
            found[name.removeprefix("dateline_").removeprefix("webhook_")] = float(value)
    return found


def told(bench: Bench) -> tuple[float, ...]:
    found = figures(bench)
    return tuple(found[name] for name in ("pending_messages", "due_messages", "dead_messages", "webhooks_disabled"))


def test_the_figures_tell_what_waits_and_for_how_long(bench: Bench) -> None:
    assert set(figures(bench).values()) == {0}
    hook, paused = bench.make_hook(), bench.make_hook(enabled=False)
    for one in (hook, paused):
        make_event(bench.client, one["events"])
        make_event(bench.client, one["events"])
    bench.client.wait_for_feed()
    bench.direct.execute("UPDATE change SET recorded_at = %s", [datetime.now(UTC) - timedelta(seconds=HOUR)])
    assert told(bench) == (0, 0, 0, 1)
    assert HOUR < figures(bench)["oldest_pending_seconds"] < HOUR + 60, "no worker runs, and that is to be seen"

    bench.run(lambda worker: worker.fan_out())
    bench.direct.execute("UPDATE webhook_delivery SET due_at = now()")
    assert told(bench) == (2, 2, 0, 1)
    assert HOUR < figures(bench)["oldest_pending_seconds"] < HOUR + 60

    bench.receiver.answer = lambda _: (500, {})
    bench.work()  # by a clock that is ahead: the next try is not due yet
    assert told(bench) == (2, 0, 0, 1)
    for _ in range(9):
        bench.clock.pass_seconds(100_000)
        bench.work()
    assert told(bench) == (0, 0, 2, 1)
    assert figures(bench)["oldest_pending_seconds"] == 0

    bench.receiver.answer = lambda _: (410, {})
    make_event(bench.client, hook["events"])
    bench.work()
    assert told(bench) == (0, 0, 2, 2), "what waits for a webhook that is disabled is no backlog"
    assert figures(bench)["oldest_pending_seconds"] == 0
