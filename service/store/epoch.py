"""Which life of the database this is.

A dump that is restored elsewhere goes on in another life: its transactions are counted anew, and writes after the
dump are gone. The database notices by its home, the cluster and the database's own number in it; then it enters
another epoch and takes another token, by which cursors of the former life are told.
"""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    update,
)

from service.store.statement import Connection, Statement, compiled
from service.tables import feed

_CLUSTER = func.pg_control_system().table_valued(column("system_identifier", BigInteger))
_DATABASES = table("pg_database", column("oid", Integer), column("datname", Text))
_HOME: ColumnElement[Any] = (
    cast(select(_CLUSTER.c.system_identifier).scalar_subquery(), Text)
    + literal_column("'/'")
    + cast(select(_DATABASES.c.oid).where(_DATABASES.c.datname == func.current_database()).scalar_subquery(), Text)
)
# Two dumps of the same origin go on differently, and the names that are made of epochs (`fanout.message_id`) must not
# meet: each takes a step of its own.
_STEPS = 1 << 20
_NEXT = feed.c.epoch + literal_column("1") + cast(func.floor(func.random() * literal_column(str(_STEPS))), Integer)
_ENTERED: dict[str, ColumnElement[Any]] = {"epoch": _NEXT, "token": func.gen_random_uuid(), "home": _HOME}
# Whoever comes second waits for the first one's row, then finds the home to be right.
_ENTER: Statement = compiled(update(feed).where(feed.c.home != _HOME).values(_ENTERED).returning(feed.c.epoch))
# Without a place for a value: for psql, in the transaction that restores a dump.
ENTER_ANYWAY = compiled(update(feed).values(_ENTERED)).sql


async def enter_epoch(connection: Connection) -> int | None:
    """Enter another epoch if this database is a restored dump; give its number if so. Several may do so at once."""
    row = await (await _ENTER.run(connection, {})).fetchone()
    return None if row is None else int(row[0])


def enter_epoch_at(url: str) -> None:
    """Enter another epoch if the database at this URL is a restored dump."""
    with psycopg.connect(url) as connection:
        connection.execute(_ENTER.sql, _ENTER.fixed)
