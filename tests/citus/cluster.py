"""The cluster to test on: the one of `DATELINE_DATABASE_URL`, or one of three throwaway servers of this machine's.

The first must hold nothing of ours before, and holds nothing afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.embedded import EmbeddedError, find_programs
from service.store.contents import TABLES
from service.store.distribution import HAS_CITUS
from tests.servers import throwaway_postgres

WORKERS = 2
_OPTIONS = {"shared_preload_libraries": "citus", "max_prepared_transactions": "200", "citus.shard_count": "8"}


@contextmanager
def empty_cluster() -> Iterator[str]:
    """Answer the URL of a coordinator's database that holds nothing; skip the test where there is no cluster."""
    url = os.environ.get("DATELINE_DATABASE_URL")
    if not url:
        if not _machine_has_citus():
            pytest.skip("there is no Citus: neither has this machine's PostgreSQL it, nor does DATELINE_DATABASE_URL")
        with throwaway_cluster() as url:
            yield url
        return
    try:
        with psycopg.connect(url) as connection:
            is_citus = connection.execute(HAS_CITUS).fetchone() == (True,)
            ours = connection.execute("SELECT FROM pg_tables WHERE tablename = ANY(%s)", [list(TABLES)]).rowcount
    except psycopg.Error as error:
        pytest.skip(f"DATELINE_DATABASE_URL cannot be reached: {error}")
    if not is_citus:
        pytest.skip("the database of DATELINE_DATABASE_URL has no Citus")
    if ours:
        pytest.fail("the database of DATELINE_DATABASE_URL holds tables of ours: the tests need one that is empty")
    yield url
    with psycopg.connect(url) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {', '.join(TABLES)} CASCADE".encode())


def _machine_has_citus() -> bool:
    try:
        find_programs(system=True)
    except EmbeddedError:
        return False
    with throwaway_postgres(system=True) as url, psycopg.connect(url) as connection:
        return connection.execute("SELECT FROM pg_available_extensions WHERE name = 'citus'").rowcount > 0


@contextmanager
def throwaway_cluster() -> Iterator[str]:
    """Run a coordinator and its workers, and answer the URL of the coordinator's database."""
    with ExitStack() as running:
        coordinator, *workers = [
            running.enter_context(throwaway_postgres(system=True, options=_OPTIONS)) for _ in range(1 + WORKERS)
        ]
        for url in (coordinator, *workers):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION citus")
        with psycopg.connect(coordinator, autocommit=True) as connection:
            connection.execute("SELECT citus_set_coordinator_host(%s, %s)", _place(coordinator))
            for url in workers:
                connection.execute("SELECT citus_add_node(%s, %s)", _place(url))
        yield coordinator


def _place(url: str) -> tuple[str, int]:
    parameters = conninfo_to_dict(url)
    return str(parameters["host"]), int(str(parameters["port"]))
