"""A throwaway cluster of three servers that this machine's PostgreSQL makes, where it has Citus beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.servers import throwaway_postgres

WORKERS = 2
_OPTIONS = {"shared_preload_libraries": "citus", "max_prepared_transactions": "200", "citus.shard_count": "8"}


def has_citus(url: str) -> bool:
    """Tell whether a server could be one of a cluster's."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'citus'")
        return found.rowcount > 0


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
