"""A database that goes away, in whatever way, is told of soon; it comes back, and so does the service, by itself."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.store.migration import migrate
from tests.keys import ADMIN, insert_key
from tests.live.service import running, tracebacks
from tests.prove import IS_LONG
from tests.prove.cluster import Cluster, Network, cluster, network
from tests.prove.outage import Outage

SECONDS = 30.0 if IS_LONG else 3.0
WAYS = ["it hangs", "it is killed", "the network swallows"] if IS_LONG else ["it hangs", "it is killed"]
# What is promised; beside other tests on a busy machine, all takes longer.
NOTICE_SECONDS, REFUSAL_SECONDS, RECOVERY_SECONDS = (2.0, 2.0, 5.0) if IS_LONG else (15.0, 15.0, 30.0)
LIVE_SECONDS = 1.0 if IS_LONG else 10.0


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Make a folder that the account of the database may enter, too."""
    with tempfile.TemporaryDirectory(prefix="dateline-outage-") as name:
        yield Path(name)


@pytest.mark.parametrize("way", WAYS)
def test_a_database_that_is_gone_is_told_of_and_found_again(way: str, tmp_path: Path) -> None:
    with empty_folder() as folder, cluster(folder) as database, network(database.port) as between:
        migrate(database.url())
        insert_key(database.url())
        through = database.url(between.port)
        with running(tmp_path, database_url=through, seed="false", stream_heartbeat_seconds=1) as service:
            begin, end = ways(database, between)[way]
            found = asyncio.run(Outage(service.base, ADMIN).suffer(begin, end, SECONDS))
    sys.stdout.write(f"{way} for {SECONDS:g} s: {found}\n")
    assert found.refusals
    assert found.notice < NOTICE_SECONDS
    assert found.longest_refusal < REFUSAL_SECONDS
    assert set(found.liveness) == {200}
    assert found.longest_liveness < LIVE_SECONDS
    assert set(found.readiness) == {503}
    assert max(found.recovery.values()) < RECOVERY_SECONDS
    assert found.acknowledged > 8
    assert (found.lost, found.doubled, found.streams_with_gaps, found.streams_cut) == (0, 0, 0, 0)
    assert tracebacks(tmp_path) == []


def ways(database: Cluster, between: Network) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    return {
        "it hangs": (database.freeze, database.thaw),
        "it is killed": (database.kill, database.start),
        "the network swallows": (between.swallow, between.recover),
    }
