"""Figures for a monitoring system, in Prometheus' text format (version 0.0.4).

Those of the server processes stand in `service.api.figures`; here are those that the database is asked for when they
are read. They are left out while it does not answer, and all others are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.api import answers
from service.api.access import Store
from service.api.changes import Feed
from service.api.figures import Figures
from service.api.strict import StrictRoute
from service.errors import DatelineError
from service.store.backlog import read_backlog
from service.store.database import Database
from service.store.documents import COUNTED_UP_TO, count_older
from service.store.lag import read_lag
from service.store.replica import Replica
from service.tasks import end_tasks

router = APIRouter(tags=["Health"], route_class=StrictRoute)

MEDIA_TYPE = "text/plain; version=0.0.4"
_PATIENCE_SECONDS = 2.0
_NOTE_SECONDS = 1.0


@router.get(
    "/metrics",
    response_class=Response,
    responses=answers.problems(400, asks_database=False, is_limited=False)
    | {
        200: {
            "description": "The figures.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "Counts, gauges and a histogram."}}},
        }
    },
)
async def get_metrics(request: Request, store: Store) -> Response:
    """Read how the service is doing, for Prometheus.

    Requests by method, route and status, and how long they took; connections to the database; how far the change feed
    lags behind the writes; what waits to be sent to webhooks: while it is `due`, no worker has got round to it, and the
    rest waits for its next try; documents of events that have the shape of an earlier release. The figures are those of
    all server processes of this instance. While the database does not answer, `dateline_database_up` is 0 and what it
    alone knows is left out. Of a replica it is told whether it is up, how far it is behind, and what became of the
    reads that it might have done.
    """
    figures: Figures = request.app.state.figures
    feed: Feed = request.app.state.feed
    figures.note(store.pool_state(), len(feed.streams))
    figures.forget_the_dead()
    gauges: dict[str, tuple[str, float]] = {}
    # one at a time: however many ask for figures, they take one connection of those that answer requests
    with suppress(TimeoutError, DatelineError):
        async with asyncio.timeout(_PATIENCE_SECONDS), figures.asking, store.read() as connection:
            behind, seconds = await read_lag(connection)
            backlog = await read_backlog(connection)
            older = await count_older(connection)
            gauges = {
                "dateline_feed_lag_seconds": ("Age of the oldest change that followers cannot read yet.", seconds),
                "dateline_feed_changes_behind_horizon": ("Changes that followers cannot read yet.", behind),
                "dateline_webhook_pending_messages": (
                    "Messages to be sent, or tried again, to webhooks that are enabled.",
                    backlog.pending,
                ),
                "dateline_webhook_due_messages": ("Those of them whose time has come.", backlog.due),
                "dateline_webhook_dead_messages": (
                    "Messages that were given up, as long as they are kept.",
                    backlog.dead,
                ),
                "dateline_webhook_oldest_pending_seconds": (
                    "Age of the oldest change that an enabled webhook was not sent yet.",
                    backlog.oldest_seconds,
                ),
                "dateline_documents_of_older_shape": (
                    f"Documents left for `dateline documents rerender`; {COUNTED_UP_TO} stands for any more.",
                    older,
                ),
                "dateline_webhooks_disabled": ("Webhooks that nothing is sent to.", backlog.disabled_webhooks),
            }
    gauges["dateline_database_up"] = ("Whether the database answered when it was asked for figures.", bool(gauges))
    replica: Replica | None = request.app.state.replica
    if replica is not None:
        standing = replica.standing
        gauges["dateline_replica_up"] = ("Whether the replica answered when it was last looked at.", standing.is_up)
        if standing.is_up:
            gauges["dateline_replica_lag_seconds"] = ("How far it was behind the primary.", standing.lag_seconds)
    asked = CollectorRegistry()
    asked.register(_Gauges(gauges))
    return Response(generate_latest(figures.registry) + generate_latest(asked), media_type=MEDIA_TYPE)


class _Gauges(Collector):
    """What the database said, by name, meaning and value."""

    def __init__(self, gauges: dict[str, tuple[str, float]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Yield each of them."""
        for name, (meaning, value) in self._gauges.items():
            yield GaugeMetricFamily(name, meaning, value)


@asynccontextmanager
async def noted(figures: Figures, store: Database, feed: Feed) -> AsyncIterator[None]:
    """Note the figures of this process now and then where several share theirs, for the others to tell."""

    async def note() -> None:
        while True:
            figures.note(store.pool_state(), len(feed.streams))
            await asyncio.sleep(_NOTE_SECONDS)

    if not figures.are_shared:
        yield
        return
    task = asyncio.create_task(note())
    try:
        yield
    finally:
        await end_tasks(task)
