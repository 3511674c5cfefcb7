"""Statements with their values spelt out, since pgbench knows no instants and no identities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from service.dates import DISTANT_FUTURE, DISTANT_PAST, format_instant
from service.store.adapters import At
from service.store.statement import Statement


def literal(statement: Statement, values: Mapping[str, object]) -> str:
    """Spell a statement of the service out."""
    return filled(statement.sql, {**statement.fixed, **values})


def filled(sql: str, values: Mapping[str, object]) -> str:
    """Spell values out where SQL has `%(name)s`."""
    return re.sub(r"%\((\w+)\)s", lambda place: _spelt(values[place[1]]), sql)


def _spelt(value: object) -> str:
    match value:
        case At(instant):
            infinity = {DISTANT_PAST: "-infinity", DISTANT_FUTURE: "infinity"}
            return f"'{infinity.get(instant) or _instant(instant)}'"
        case UUID() | str():
            return f"'{value}'"
        case []:
            return "'{}'"
        case bool() | int():
            return str(value)
        case _:
            raise TypeError(f"no literal for {value!r}")


def _instant(instant: int) -> str:
    text = str(format_instant(instant))
    if text.startswith("-"):
        # astronomical -0043 is what PostgreSQL calls 44 BC
        year, rest = text[1:].split("-", 1)
        return f"{int(year) + 1:04}-{rest} BC"
    return text.removeprefix("+")
