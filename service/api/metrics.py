"""Figures for a monitoring system, in Prometheus' text format (version 0.0.4).

Written by hand: a few gauges, most of which are asked of the database when they are read, need no library.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response

from service.api import answers
from service.api.access import Store
from service.api.changes import Feed
from service.api.strict import StrictRoute
from service.store.backlog import read_backlog
from service.store.lag import read_lag

router = APIRouter(tags=["Health"], route_class=StrictRoute)

MEDIA_TYPE = "text/plain; version=0.0.4"


@router.get(
    "/metrics",
    response_class=Response,
    responses=answers.problems(400)
    | {
        200: {
            "description": "The figures.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "Gauges."}}},
        }
    },
)
async def get_metrics(request: Request, store: Store) -> Response:
    """Read how the service is doing, for Prometheus.

    How far the change feed lags behind the writes, and how many of its streams are open. The number of streams is
    that of the server process that answers. And what waits to be sent to webhooks, in all: while it is `due`, no worker
    has got round to it; the rest waits for its next try.
    """
    feed: Feed = request.app.state.feed
    async with store.read() as connection:
        behind, seconds = await read_lag(connection)
        backlog = await read_backlog(connection)
    gauges = {
        "dateline_feed_lag_seconds": ("Age of the oldest change that followers cannot read yet.", seconds),
        "dateline_feed_changes_behind_horizon": ("Changes that followers cannot read yet.", behind),
        "dateline_feed_open_streams": ("Open streams of changes in this process.", len(feed.streams)),
        "dateline_webhook_pending_messages": (
            "Messages to be sent, or tried again, to webhooks that are enabled.",
            backlog.pending,
        ),
        "dateline_webhook_due_messages": ("Those of them whose time has come.", backlog.due),
        "dateline_webhook_dead_messages": ("Messages that were given up, as long as they are kept.", backlog.dead),
        "dateline_webhook_oldest_pending_seconds": (
            "Age of the oldest change that an enabled webhook was not sent yet.",
            backlog.oldest_seconds,
        ),
        "dateline_webhooks_disabled": ("Webhooks that nothing is sent to.", backlog.disabled_webhooks),
    }
    return Response("".join(_gauges(gauges)), media_type=MEDIA_TYPE)


def _gauges(gauges: dict[str, tuple[str, float]]) -> Iterator[str]:
    for name, (meaning, value) in gauges.items():
        yield f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{name} {value:.10g}\n"
