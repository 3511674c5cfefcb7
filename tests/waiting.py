"""Wait for what comes about by itself, however long that takes on a busy machine, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

PATIENCE_SECONDS = 60


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_waiters(url: str, waiters: int = 1) -> None:
    """Wait until so many statements on a database wait for a lock."""
    # those of transactions and of rows are of no database, as pg_locks tells it
    query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(lambda: len(connection.execute(query).fetchall()) >= waiters)
