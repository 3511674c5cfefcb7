"""Who holds up whom in a database: a sampler of its locks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

# Locks that keep out readers or writers of a table or index.
_HELD = """
SELECT l.pid, l.relation::regclass::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.granted AND c.relnamespace = 'public'::regnamespace
  AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
"""
_WAITED = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::float
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND l.locktype = 'relation' AND a.application_name = 'dateline'
"""
_PAUSE_SECONDS = 0.005


class Sampled:
    """What was seen: for how long each lock was held, and the longest that the application waited for one."""

    def __init__(self) -> None:
        self.held_seconds: dict[str, float] = {}
        self.waited_seconds = 0.0
        self._since: dict[tuple[int, str, str], float] = {}

    def look(self, connection: psycopg.Connection) -> None:
        now = time.monotonic()
        held = {(int(pid), str(name), str(mode)) for pid, name, mode in connection.execute(_HELD)}
        self._since = {one: self._since.get(one, now) for one in held}
        for one, since in self._since.items():
            name = f"{one[2]} on {one[1]}"
            self.held_seconds[name] = max(self.held_seconds.get(name, 0), now - since)
        row = connection.execute(_WAITED).fetchone()
        self.waited_seconds = max(self.waited_seconds, row[0] if row else 0)


@contextmanager
def sampling(url: str) -> Iterator[Sampled]:
    """Look at the locks of a database again and again for the block."""
    sampled, is_over = Sampled(), threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not is_over.wait(_PAUSE_SECONDS):
                sampled.look(connection)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield sampled
    finally:
        is_over.set()
        looking.join()
