"""Whoever sends the position of a write reads it, wherever the replica is just then."""

from __future__ import annotations

import re

import pytest

from tests.client import connected
from tests.prove import IS_LONG
from tests.prove.own_writes import prove
from tests.replicas import replica_of, wait_until

SECONDS = 60 if IS_LONG else 5


def test_no_read_misses_what_its_client_wrote(request: pytest.FixtureRequest, postgres: str, database_url: str) -> None:
    system = request.config.getoption("--postgres") == "system"
    with replica_of(postgres, system=system) as server:
        url = server.url_of(database_url)
        with connected(database_url, read_database_url=url, replica_wait_seconds=0.2) as client:
            wait_until(lambda: client.read("/health/ready") == {"status": "ok", "replica": "ok"})
            found = prove(client, server, SECONDS)
            told = client.get("/metrics").text
    lines = re.findall(r'^dateline_replica_reads_total\{outcome="(\w+)"\} (\S+)$', told, re.MULTILINE)
    outcomes = {outcome: float(number) for outcome, number in lines}
    assert found.reads > SECONDS
    assert found.stale == 0
    # or the replica was never behind, or never waited for with success, and nothing is proved
    assert found.stale_without > 0
    assert outcomes["replica"] > found.reads + SECONDS, "beside those without a position"
    assert outcomes["waited"] > SECONDS
    print(f"{found.reads} reads of one's own writes, 0 stale; {found.stale_without} without a position; {outcomes}")  # noqa: T201  # for `make prove`
