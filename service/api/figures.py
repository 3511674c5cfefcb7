"""What a server process counts of itself, for Prometheus.

Several server processes share a port, and a scrape reaches any one of them. They keep their figures in files of one
folder (`service.figures_folder`), so that whichever answers tells those of all: counts are of all
processes since the service started, gauges the sum of those that live.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from service.figures_folder import SHARED_FOLDER
from service.store.database import PoolState
from service.store.replica import Outcome

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"  # anyone may invent methods and paths: neither may make a figure of its own
_CLASSES = {n: f"{n}xx" for n in range(1, 6)}
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Asked(NamedTuple):
    """What was asked of the service, and of what kind the answer was."""

    method: str
    route: str | None
    status: int


class Figures:
    """The figures of one application."""

    def __init__(self) -> None:
        self._folder = os.environ.get(SHARED_FOLDER)
        self.asking = asyncio.Lock()  # held by the scrape that asks the database
        disable_created_metrics()  # when each figure was first counted: as many lines again, which nobody asks for
        own = CollectorRegistry()
        self._requests = Counter(
            "dateline_http_requests",
            "Requests that were answered, by the route's template and the first digit of the status.",
            ("method", "route", "status"),
            registry=own,
        )
        self._seconds = Histogram(
            "dateline_http_request_duration_seconds",
            "Time from a request's arrival to the end of its answer; streams of changes are left out.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=own,
        )
        self.in_flight = Gauge(
            "dateline_http_requests_in_flight",
            "Requests that are being answered, open streams among them.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._connections = Gauge(
            "dateline_pool_connections",
            "Connections to the database, by what they do.",
            ("state",),
            registry=own,
            multiprocess_mode="livesum",
        )
        self._waiting = Gauge(
            "dateline_pool_waiting_requests",
            "Requests that wait for a connection to the database.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._streams = Gauge(
            "dateline_feed_open_streams",
            "Open streams of changes.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._reads = Counter(
            "dateline_replica_reads",
            "Reads that the replica may do: done there (replica), or by the primary, since the replica had not come as "
            "far as the client had seen (waited), was away or too far behind (unused), or failed at it (failed).",
            ("outcome",),
            registry=own,
        )
        self.registry = own if self._folder is None else CollectorRegistry()
        if self._folder is not None:
            MultiProcessCollector(self.registry)

    @property
    def are_shared(self) -> bool:
        """Tell whether other server processes read them."""
        return self._folder is not None

    @cache  # noqa: B019  # it lives as long as the process
    def _of(self, method: str, route: str, status: str) -> tuple[Counter, Histogram]:
        return self._requests.labels(method, route, status), self._seconds.labels(method, route)

    def count(self, asked: Asked, seconds: float | None) -> None:
        """Count a request that was answered, and unless it is None how long that took."""
        method = asked.method if asked.method in _METHODS else _OTHER
        route = asked.route or _OTHER
        requests, durations = self._of(method, route, _CLASSES[asked.status // 100])
        requests.inc()
        if seconds is not None:
            durations.observe(seconds)

    def count_read(self, outcome: Outcome) -> None:
        """Count a read that the replica might have done."""
        self._reads.labels(outcome).inc()

    def note(self, pool: PoolState, streams: int) -> None:
        """Note how this process is now."""
        self._connections.labels("idle").set(pool.idle)
        self._connections.labels("busy").set(pool.size - pool.idle)
        self._waiting.set(pool.waiting)
        self._streams.set(streams)

    def forget_the_dead(self) -> None:
        """Drop the gauges of processes that ended; what they counted stays counted."""
        if self._folder is None:
            return
        for pid in {int(file.stem.rpartition("_")[2]) for file in Path(self._folder).glob("gauge_live*.db")}:
            if not _lives(pid):
                with suppress(FileNotFoundError):  # another process does the same
                    mark_process_dead(pid, self._folder)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
