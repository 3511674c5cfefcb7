"""Which life of the database this is.

A dump that is restored elsewhere goes on in another life: its transactions are counted anew, and writes after the
dump are gone. The database notices by its home, the cluster and the database's own number in it; then it enters
another epoch and takes another token, by which cursors of the former life are told.
"""

from __future__ import annotations

import secrets
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    bindparam,
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
_READ_HOME: Statement = compiled(select(_HOME))
_READ_FORMER_HOME: Statement = compiled(select(feed.c.home))
_GIVEN_HOME = bindparam("home", type_=Text)
# Whoever comes second waits for the first one's row, then finds the home to be right. All is given: on a distributed
# PostgreSQL the row is on several servers, and each would make up its own.
_ENTER: Statement = compiled(
    update(feed)
    .where(feed.c.home != _GIVEN_HOME)
    .values(
        epoch=feed.c.epoch + bindparam("step", type_=Integer),
        token=bindparam("token", type_=feed.c.token.type),
        home=_GIVEN_HOME,
    )
    .returning(feed.c.epoch)
)
# Without a place for a value: for psql, in the transaction that restores a dump.
ENTER_ANYWAY = compiled(update(feed).values(_ENTERED)).sql


async def enter_epoch(connection: Connection) -> int | None:
    """Enter another epoch if this database is a restored dump; give its number if so. Several may do so at once."""
    home = await (await _READ_HOME.run(connection, {})).fetchone()
    if home is None or home == await (await _READ_FORMER_HOME.run(connection, {})).fetchone():
        return None
    row = await (await _ENTER.run(connection, _entered(home[0]))).fetchone()
    return None if row is None else int(row[0])


def enter_epoch_at(url: str) -> None:
    """Enter another epoch if the database at this URL is a restored dump."""
    with psycopg.connect(url) as connection:
        home = connection.execute(_READ_HOME.sql, _READ_HOME.fixed).fetchone()
        if home is not None and home != connection.execute(_READ_FORMER_HOME.sql).fetchone():
            connection.execute(_ENTER.sql, {**_ENTER.fixed, **_entered(home[0])})


def _entered(home: str) -> dict[str, object]:
    return {"home": home, "step": 1 + secrets.randbelow(_STEPS), "token": uuid4()}
