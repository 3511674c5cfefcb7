"""What a write of an event does to its timeline's histogram, appended by the very statement that writes the event.

So a write takes no more round trips, and none can be missed. Nothing of the summary is touched, for which all writers
of a timeline would have to wait.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Delete, FromClause, Insert, Select, Update, insert, or_, select, true, union_all

from service.store.runs import BOUNDS, number
from service.tables import event, histogram_change

_COLUMNS = ("timeline_id", *BOUNDS)


def coming(statement: Insert) -> Insert:
    """Have an event counted when it comes."""
    return counting(statement.returning(*_bounds()).cte("came"), 1)


def going(statement: Delete) -> Insert:
    """Have an event counted no longer when it goes."""
    return counting(statement.returning(*_bounds()).cte("gone"), -1)


def counting(rows: FromClause, events: int) -> Insert:
    """Have events counted so many times; `rows` have the columns of their bounds."""
    return _appended(_as_rows(rows, events))


def changing(statement: Update) -> Insert:
    """Have an event counted elsewhere when its date changes."""
    assert statement.whereclause is not None  # noqa: S101  # one event is updated
    before = select(*_bounds()).where(statement.whereclause).cte("before")
    now = statement.returning(*_bounds()).cte("now")
    both = before.join(now, true())
    is_moved = or_(*(before.c[name].is_distinct_from(now.c[name]) for name in BOUNDS))
    moved = [_as_rows(rows, events).select_from(both).where(is_moved) for rows, events in ((before, -1), (now, 1))]
    return _appended(union_all(*moved).subquery("moved").select())


def _bounds() -> list[ColumnElement[Any]]:
    return [event.c[name] for name in _COLUMNS]


def _as_rows(rows: FromClause, events: int) -> Select[Any]:
    return select(*(rows.c[name] for name in _COLUMNS), number(events).label("events"))


def _appended(rows: Select[Any]) -> Insert:
    return insert(histogram_change).from_select([*_COLUMNS, "events"], rows)
