"""SQLAlchemy Core as the language of our statements, psycopg as the way to run them.

A statement is built once, and put into words once; running it costs what libpq costs (`service.store.connection`).
Measured: half of the time of a page goes to SQLAlchemy's own execution otherwise (`make bench`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast

from psycopg import AsyncConnection
from sqlalchemy import ColumnElement, Table, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.visitors import replacement_traverse

from service.store.connection import Row, Rows, run_statement

__all__ = [
    "Connection", "ElementT", "Row", "Statement", "compiled", "explained", "is_distributed", "parameters",
    "planned_rows", "with_given",
]  # fmt: skip

ElementT = TypeVar("ElementT", bound=ClauseElement)
Connection = AsyncConnection[Row]
_PLACE = re.compile(r"%\((\w+)\)s")


class _Spelling(NamedTuple):
    """A statement in words: with `%(name)s` places, and with PostgreSQL's own.

    psycopg would take a statement as long as these apart on every run, since it remembers only short ones: so it gets
    `$1` for the first of `names` and so on. `fixed` are values known when it was built.
    """

    sql: str
    fixed: Mapping[str, object]
    numbered: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, sql: str, fixed: Mapping[str, object]) -> _Spelling:
        numbers = {name: i for i, name in enumerate(dict.fromkeys(_PLACE.findall(sql)), start=1)}
        numbered = _PLACE.sub(lambda place: f"${numbers[place[1]]}", sql).replace("%%", "%")
        return cls(sql, fixed, numbered.encode(), tuple(numbers))


class Statement:
    """A statement of SQLAlchemy Core, put into words when it is first needed: there are many, and few need them all.

    Those of `distributed` do the same as `element` on a distributed PostgreSQL, one after the other, where this one
    cannot be run there (`service.store.distribution`). `before` are words that stand before it.
    """

    def __init__(self, element: ClauseElement, distributed: Sequence[ClauseElement] = (), *, before: str = "") -> None:
        self.element = element
        self.distributed = tuple(distributed)
        self._before = before

    @cached_property
    def _spelling(self) -> _Spelling:
        # psycopg's own place markers; a list of literals, which SQLAlchemy spells out late, is spelt out now
        dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare
        result = self.element.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        fixed = {name: value for name, value in result.params.items() if value is not None}
        return _Spelling.of(f"{self._before}{result}", fixed)

    @property
    def sql(self) -> str:
        """Its words, with `%(name)s` places."""
        return self._spelling.sql

    @property
    def fixed(self) -> Mapping[str, object]:
        """The values that were known when it was built."""
        return self._spelling.fixed

    @cached_property
    def steps(self) -> tuple[Statement, ...]:
        """What is run on a distributed PostgreSQL."""
        return tuple(compiled(one) for one in self.distributed) or (self,)

    async def run(self, connection: Connection, values: Mapping[str, object], *, prepare: bool = True) -> Rows:
        """Run it; rows come in binary form, which is how instants keep their range.

        `prepare=False` has PostgreSQL plan it for these very values, where they decide the plan. Of several that stand
        for it the last one's are given.
        """
        if self.distributed and is_distributed(connection):
            *first, last = self.steps
            for one in first:
                await one.run(connection, values, prepare=prepare)
            return await last.run(connection, values, prepare=prepare)
        _, fixed, numbered, names = self._spelling
        given = {**fixed, **values} if fixed else values
        return await run_statement(connection, numbered, [given[name] for name in names], prepare=prepare)

    async def run_many(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it once for each row, in one round trip (psycopg sends them as a pipeline)."""
        if self.distributed and is_distributed(connection):
            for row in rows:
                await self.run(connection, row)
        elif rows:
            await connection.cursor().executemany(self.sql, [{**self.fixed, **row} for row in rows])


def is_distributed(connection: Connection) -> bool:
    """Tell whether a connection leads to a distributed PostgreSQL, as whoever made it found out."""
    return getattr(connection, "is_distributed", False)


def compiled(element: ClauseElement, *, distributed: Sequence[ClauseElement] = ()) -> Statement:
    """Make a statement of SQLAlchemy Core; a `bindparam` without a value is given when it is run.

    `distributed` are run in its place, with the same values, on a distributed PostgreSQL.
    """
    return Statement(element, distributed)


def with_given(element: ElementT, expression: ColumnElement[Any], name: str) -> ElementT:
    """Have a statement take a value where it has the database work out an expression, this very object."""
    given = bindparam(name, type_=expression.type)

    def replace(one: Any, **_: object) -> Any:  # noqa: ANN401  # SQLAlchemy's signature
        return given if one is expression else None

    # whose types know of columns alone
    return cast("ElementT", cast("Any", replacement_traverse)(element, {}, replace))


def explained(element: ClauseElement) -> Statement:
    """Make a statement that has PostgreSQL plan another one, and run nothing."""
    return Statement(element, before="EXPLAIN (FORMAT JSON) ")


async def planned_rows(connection: Connection, statement: Statement, values: Mapping[str, object]) -> int:
    """Learn how many rows PostgreSQL expects of what such a statement plans."""
    cursor = await statement.run(connection, values, prepare=False)
    plan = (await cursor.fetchall())[0][0]
    told = json.loads(plan)[0]["Plan"]
    if "Distributed Query" in told:  # of the parts of several servers, one is told
        job = told["Distributed Query"]["Job"]
        ((remote,),) = job["Tasks"][0]["Remote Plan"]
        return int(remote["Plan"]["Plan Rows"]) * int(job["Task Count"])
    return int(told["Plan Rows"])


def parameters(table: Table) -> dict[str, ColumnElement[Any]]:
    """Make a parameter of each column's own name and type; what the database computes has none."""
    return {
        column.name: bindparam(column.name, type_=column.type)
        for column in table.columns
        if column.computed is None and column.identity is None
    }
