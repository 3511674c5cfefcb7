"""Past one machine: the tables spread over the servers of a Citus cluster, each timeline whole on one of them.

What belongs to a timeline is spread by `timeline_id`, all of its tables alike, so that an operation is one server's
work. What all timelines share is on every server. What belongs to neither stays with the coordinator, in whose
transaction a write ends: there it costs no second server, and so no commit in two phases.
"""

from __future__ import annotations

import logging

import psycopg
from psycopg import sql
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.schema import AddConstraint

from service.tables import metadata

logger = logging.getLogger("dateline.distribution")

# On every server.
SHARED = ("timeline", "actor", "actor_alias", "place", "source", "feed")
# On the coordinator alone.
LOCAL = ("api_key", "audit_entry", "kept_answer", "signing_key")
COLUMN = "timeline_id"
# By timeline: the rest.
SPREAD = tuple(one.name for one in metadata.sorted_tables if COLUMN in one.columns and one.name not in SHARED)

# What is asked of each new connection, once a process: `service.store.statement` tells statements by it.
HAS_CITUS = b"SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"
# Any number will do that no other user of the same database takes.
_LOCK = 0x44_41_54_4A
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare


def is_spread(connection: psycopg.Connection) -> bool:
    """Tell whether the tables of a database are spread over a cluster."""
    return connection.execute(HAS_CITUS).fetchone() == (True,) and bool(_spread_already(connection))


def _spread_already(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute("SELECT logicalrelid::regclass::text FROM pg_catalog.pg_dist_partition").fetchall()
    return {row[0] for row in rows} & metadata.tables.keys()


class CannotDistributeError(Exception):
    """Say why the tables cannot be spread; `str()` is for whoever runs the database."""


def distribute(url: str) -> list[str]:
    """Spread those of the tables that are not spread yet, data included, and name them.

    In one transaction, so that it is done or not; others must not write meanwhile. Repeating it changes nothing. Raises
    CannotDistributeError where the database is no coordinator of a cluster, psycopg.Error where it does not answer.
    """
    with psycopg.connect(url) as connection:
        _require_coordinator(connection)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        there = _spread_already(connection)
        tables = [name for name in (*SHARED, *SPREAD) if name not in there]
        if tables:
            logger.info("spreading %s over the cluster", ", ".join(tables))
            _spread(connection, tables)
    return tables


def _require_coordinator(connection: psycopg.Connection) -> None:
    row = connection.execute(HAS_CITUS).fetchone()
    if row != (True,):
        raise CannotDistributeError("The database has no Citus: CREATE EXTENSION citus, here and on each worker.")
    row = connection.execute("SELECT citus_is_coordinator()").fetchone()
    if row != (True,):
        raise CannotDistributeError("The database is a worker of its cluster: name the coordinator.")
    nodes = connection.execute("SELECT groupid, shouldhaveshards FROM pg_dist_node WHERE isactive").fetchall()
    if 0 not in {group for group, _ in nodes}:
        raise CannotDistributeError(
            "The coordinator does not know its own address, without which it holds no copy of what is shared: "
            "SELECT citus_set_coordinator_host('HOST', PORT)."
        )
    if not any(holds for _, holds in nodes):
        raise CannotDistributeError("The cluster has no workers: SELECT citus_add_node('HOST', PORT) for each.")


def _spread(connection: psycopg.Connection, names: list[str]) -> None:
    # a key to a table that is not spread yet would be in the way, and so they come last
    keys = [key for key in _foreign_keys() if not {key.table.name, key.referred_table.name}.isdisjoint(names)]
    connection.execute("SET LOCAL statement_timeout = 0")
    connection.execute("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
    for key in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(
                sql.Identifier(key.table.name), sql.Identifier(str(key.name))
            )
        )
    for name in names:
        if name in SHARED:
            connection.execute("SELECT create_reference_table(%s)", [name])
        else:
            beside = "none" if name == SPREAD[0] else SPREAD[0]
            connection.execute("SELECT create_distributed_table(%s, %s, colocate_with => %s)", [name, COLUMN, beside])
        # what was here before would lie about unseen, and outlive what is purged
        connection.execute("SELECT truncate_local_data_after_distributing_table(%s)", [name])
    for key in keys:
        connection.execute(str(AddConstraint(key).compile(dialect=_DIALECT)).encode())


def _foreign_keys() -> list[ForeignKeyConstraint]:
    return [key for table in metadata.sorted_tables for key in table.foreign_key_constraints]
