"""What a database holds of ours, as a backup takes it and a restore puts it back.

All that is ours is named, table by table: others may keep theirs in the same database, and these are neither taken
along nor touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Text, column, func, select, table

from service.store.distribution import is_spread
from service.store.epoch import ENTER_ANYWAY
from service.store.listening import APPLICATION
from service.store.migration import ADVISORY_LOCK
from service.store.statement import Statement, compiled
from service.tables import event, event_state, metadata, timeline

SCHEMA = "public"
_VERSIONS = "alembic_version"
TABLES = (_VERSIONS, *sorted(metadata.tables))
# What the migrations make beside tables.
EXTENSIONS = ("btree_gin", "btree_gist")
_LOCK_SECONDS = 30
_NAMES = ", ".join(f"{SCHEMA}.{name}" for name in TABLES)

_PRESENT = table("pg_tables", column("schemaname", Text), column("tablename", Text))
_FIND_TABLES: Statement = compiled(
    select(_PRESENT.c.tablename)
    .where(_PRESENT.c.schemaname == SCHEMA, _PRESENT.c.tablename.in_(TABLES))
    .order_by(_PRESENT.c.tablename)
)
_FIND_REVISION: Statement = compiled(select(column("version_num")).select_from(table(_VERSIONS, schema=SCHEMA)))
_ACTIVITY = table("pg_stat_activity", column("datname", Text), column("application_name", Text))
_FIND_LISTENERS: Statement = compiled(
    select(_ACTIVITY.c.datname).where(
        _ACTIVITY.c.datname == func.current_database(), _ACTIVITY.c.application_name == APPLICATION
    )
)
_COUNTS: Mapping[str, Statement] = {
    name: compiled(select(func.count()).select_from(counted))
    for name, counted in (("timeline", timeline), ("event", event), ("state", event_state))
}


class Contents(NamedTuple):
    """What a database holds: its PostgreSQL's major version, our tables in it, the schema's revision, who serves it.

    `revision` is None where there is none; `is_served` tells that a service or worker is connected, `is_spread` that
    the tables are those of a cluster.
    """

    major: int
    tables: tuple[str, ...]
    revision: str | None
    is_served: bool
    is_spread: bool


def read_contents(url: str) -> Contents:
    """Look into a database. Raises psycopg.Error where it does not answer."""
    with psycopg.connect(url) as connection:
        tables = tuple(row[0] for row in _fetch(connection, _FIND_TABLES))
        revisions = _fetch(connection, _FIND_REVISION) if _VERSIONS in tables else []
        return Contents(
            major=connection.info.server_version // 10000,
            tables=tables,
            revision=revisions[0][0] if revisions else None,
            is_served=bool(_fetch(connection, _FIND_LISTENERS)),
            is_spread=is_spread(connection),
        )


def count_contents(url: str) -> Mapping[str, int]:
    """Count timelines, events and states of events, once what was loaded has been measured for the planner."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ANALYZE {_NAMES}".encode())
        return {name: int(_fetch(connection, count)[0][0]) for name, count in _COUNTS.items()}


def _fetch(connection: psycopg.Connection, statement: Statement) -> list[tuple[Any, ...]]:
    return connection.execute(statement.sql.encode(), statement.fixed).fetchall()


def restoring_sql(*, replace: bool) -> tuple[str, str]:
    """Write what psql is to say before a dump's own script and after it: one transaction in all.

    Whoever starts a service meanwhile waits, at its migrations, until all is there. The feed enters another epoch
    whatever the home: what followers of the database read after the dump was made is not in it.
    """
    before = [
        "BEGIN",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'",
        f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})",
    ]
    if replace:
        # all at once, since they refer to each other; and nothing that is another's and refers to them
        before.append(f"DROP TABLE IF EXISTS {_NAMES}")
    after = [f"SET LOCAL search_path = {SCHEMA}", ENTER_ANYWAY, "COMMIT"]
    return _script(before), _script(after)


def _script(statements: list[str]) -> str:
    return "".join(f"{one};\n" for one in statements)
