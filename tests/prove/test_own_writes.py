"""Whoever sends the position of a write reads it, wherever the replica is just then."""

from __future__ import annotations

import re

import pytest

from tests.client import Client, connected
from tests.prove import IS_LONG
from tests.prove.own_writes import Seen, prove
from tests.replicas import replica_of
from tests.waiting import wait_until

SECONDS, FEWEST = (60, 60) if IS_LONG else (3, 5)


def test_no_read_misses_what_its_client_wrote(request: pytest.FixtureRequest, postgres: str, database_url: str) -> None:
    system = request.config.getoption("--postgres") == "system"
    with replica_of(postgres, system=system) as server:
        url = server.url_of(database_url)
        with connected(database_url, read_database_url=url, replica_wait_seconds=0.2) as client:
            wait_until(lambda: client.read("/health/ready") == {"status": "ok", "replica": "ok"})
            found = prove(client, server, SECONDS, lambda seen: is_proof(seen, count_outcomes(client), FEWEST))
            outcomes = count_outcomes(client)
    assert found.stale == 0
    assert is_proof(found, outcomes, 0), (found, outcomes)
    print(f"{found.reads} reads of one's own writes, 0 stale; {found.stale_without} without a position; {outcomes}")  # noqa: T201  # for `make prove`


def count_outcomes(client: Client) -> dict[str, float]:
    """Count the reads of each outcome."""
    told = client.get("/metrics").text
    lines = re.findall(r'^dateline_replica_reads_total\{outcome="(\w+)"\} (\S+)$', told, re.MULTILINE)
    return {outcome: float(number) for outcome, number in lines}


def is_proof(found: Seen, outcomes: dict[str, float], fewest: int) -> bool:
    """Tell whether the replica was behind, and waited for with success and without, more often than so."""
    return (
        found.reads > fewest
        and found.stale_without > 0
        and outcomes["replica"] > found.reads + fewest  # beside those without a position
        and outcomes["waited"] > fewest
    )
