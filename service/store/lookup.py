"""Whether there is anything of an event, asked for each of a batch by itself.

Asked by `EXISTS` or a join, the planner would rather read all of a table for every batch while that is small, or grows
faster than it is told: measured, a quarter of an import, and a fifth of an archive's.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Table, bindparam, func, literal_column, select
from sqlalchemy.dialects import postgresql

from service.store.selection import TIMELINE_ID

EVENT_IDS: ColumnElement[Any] = bindparam("event_ids", type_=ARRAY(postgresql.UUID(as_uuid=True)))
asked = func.unnest(EVENT_IDS).table_valued("event_id", name="asked").render_derived()


def is_asked(table: Table) -> ColumnElement[bool]:
    """Choose the rows of the event that is asked for."""
    return (table.c.timeline_id == TIMELINE_ID) & (table.c.event_id == asked.c.event_id)


def is_there(table: Table, first: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether a table has a row of it, by the index that has these in the order of `first`."""
    row: Select[Any] = select(literal_column("1")).where(is_asked(table)).order_by(first).limit(literal_column("1"))
    return row.scalar_subquery().is_not(None)
