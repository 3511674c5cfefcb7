"""The cluster to test on: the one of `DATELINE_DATABASE_URL`, or one of three throwaway servers of this machine's.

Databases of the tests' own are made on each of its servers, and dropped afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service.embedded import EmbeddedError, find_programs
from service.store.distribution import HAS_CITUS
from tests.servers import throwaway_postgres

WORKERS = 2
_OPTIONS = {
    "shared_preload_libraries": "citus",
    "max_prepared_transactions": "200",
    "max_worker_processes": "64",  # one for each database
    "citus.shard_count": "8",
}


@contextmanager
def some_cluster() -> Iterator[str]:
    """Answer the URL of a coordinator's database, which knows its workers; skip the test where there is no cluster."""
    url = os.environ.pop("DATELINE_DATABASE_URL", "")  # what is tested is told of databases of its own
    if not url:
        if not _machine_has_citus():
            pytest.skip("there is no Citus: neither has this machine's PostgreSQL it, nor does DATELINE_DATABASE_URL")
        with throwaway_cluster() as url:
            yield url
        return
    try:
        servers = servers_of(url)
    except psycopg.Error as error:
        pytest.skip(f"DATELINE_DATABASE_URL cannot be reached: {error}")
    if len(servers) == 1:
        pytest.skip("the database of DATELINE_DATABASE_URL is no coordinator's that knows its workers")
    yield url


@cache
def servers_of(url: str) -> tuple[str, ...]:
    """Answer how each server of the cluster is reached that a database is the coordinator's of; of none, its own."""
    with psycopg.connect(url) as connection:
        if connection.execute(HAS_CITUS).fetchone() != (True,):
            return (url,)
        nodes = connection.execute("SELECT nodename, nodeport FROM pg_dist_node ORDER BY groupid").fetchall()
    return tuple(make_conninfo(url, host=host, port=port) for host, port in nodes) or (url,)


def join(databases: Sequence[str]) -> None:
    """Make a cluster of empty databases, of which there is one on each server, the coordinator's first."""
    coordinator, *workers = databases
    for one in databases:
        with psycopg.connect(one, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION citus")
    with psycopg.connect(coordinator, autocommit=True) as connection:
        connection.execute("SELECT citus_set_coordinator_host(%s, %s)", _place(coordinator))
        for one in workers:
            connection.execute("SELECT citus_add_node(%s, %s)", _place(one))


def leave(server: str, name: str) -> None:
    """Have nobody use a database of a cluster, so that it can be copied: Citus itself would."""
    servers = servers_of(server)
    if len(servers) == 1:
        return
    for one in servers:
        with psycopg.connect(one, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


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
        urls = [running.enter_context(throwaway_postgres(system=True, options=_OPTIONS)) for _ in range(1 + WORKERS)]
        join(urls)
        yield urls[0]


def _place(url: str) -> tuple[str, int]:
    parameters = conninfo_to_dict(url)
    return str(parameters["host"]), int(str(parameters["port"]))
