"""Beside a worker, what changes histograms is folded into their summaries."""

from __future__ import annotations

import time

import psycopg

from service.store.histogram_upkeep import FOLDED_FROM
from tests.client import connected
from tests.factories import make_event, make_timeline


def test_a_server_with_a_worker_folds_what_is_waiting(database_url: str) -> None:
    with connected(database_url) as client:
        events = make_timeline(client)
        make_event(client, events, when="2013-02-25")
    with psycopg.connect(database_url, autocommit=True) as direct:
        direct.execute(
            "INSERT INTO histogram_change OVERRIDING USER VALUE"
            " SELECT change.* FROM histogram_change AS change, generate_series(2, %s)",
            [FOLDED_FROM],
        )
        with connected(database_url, worker=True) as client:
            deadline = time.monotonic() + 20
            while direct.execute("SELECT FROM histogram_change").fetchone() is not None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            found = client.read(f"{events.removesuffix('events')}histogram", by="year")["items"]
    assert [(one["certain"], one["possible"]) for one in found] == [(FOLDED_FROM, FOLDED_FROM)]
