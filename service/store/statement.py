"""SQLAlchemy Core as the language of our statements, psycopg as the way to run them.

A statement is built and compiled once; running it costs what psycopg costs. Measured: half of the time of a
page goes to SQLAlchemy's own execution otherwise (`make bench`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement

Row = tuple[Any, ...]
Connection = AsyncConnection[Row]


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement: `sql` with `%(name)s` places, `fixed` the values known when it was built."""

    sql: str
    fixed: Mapping[str, object]

    async def run(
        self, connection: Connection, values: Mapping[str, object], *, prepare: bool | None = None
    ) -> AsyncCursor[Row]:
        """Run it; rows come in binary form, which is how instants keep their range.

        `prepare=False` has PostgreSQL plan it for these very values, where they decide the plan.
        """
        cursor = connection.cursor(binary=True)
        await cursor.execute(self.sql, {**self.fixed, **values}, prepare=prepare)
        return cursor

    async def run_many(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it once for each row, in one round trip (psycopg sends them as a pipeline)."""
        if rows:
            await connection.cursor().executemany(self.sql, [{**self.fixed, **row} for row in rows])


def compiled(element: ClauseElement) -> Statement:
    """Compile a statement of SQLAlchemy Core; a `bindparam` without a value is given when it is run."""
    # psycopg's own place markers; a list of literals, which SQLAlchemy spells out late, is spelt out now
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare
    result = element.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    fixed = {name: value for name, value in result.params.items() if value is not None}
    return Statement(str(result), fixed)


def parameters(table: Table) -> dict[str, ColumnElement[Any]]:
    """Make a parameter of each column's own name and type; what the database computes has none."""
    return {
        column.name: bindparam(column.name, type_=column.type)
        for column in table.columns
        if column.computed is None and column.identity is None
    }
