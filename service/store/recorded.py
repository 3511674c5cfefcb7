"""All that was ever recorded of a timeline's events: each state, as it was written.

An event that has no states is one of a release before them, and what it is stands for its only state: as the next
write of it would have it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    not_,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql

from service.store.selection import TIMELINE_ID
from service.store.states import UNKNOWN_AUTHOR
from service.tables import event, event_state

EVENT_IDS: ColumnElement[Any] = bindparam("event_ids", type_=ARRAY(postgresql.UUID(as_uuid=True)))
_asked = func.unnest(EVENT_IDS).table_valued("event_id", name="asked").render_derived()
MEMBERS = ("version", "reported_at", "recorded_at", "supersedes", "author", "reason", "shape", "document")


def recorded(*, asked_alone: bool = False) -> CompoundSelect[Any]:
    """Select an event's identity and `MEMBERS` of each state of a timeline, or of the events asked for alone."""
    of_event: dict[str, ColumnElement[Any]] = {
        "supersedes": literal_column("false"),
        "author": cast(literal_column(f"'{UNKNOWN_AUTHOR}'"), Text),
        "reason": cast(null(), Text),
    }
    names = ("event_id", *MEMBERS)
    has_states = exists(
        select(literal_column("1")).where(
            event_state.c.timeline_id == event.c.timeline_id, event_state.c.event_id == event.c.event_id
        )
    )

    def among(table: Table) -> FromClause:
        return table.join(_asked, table.c.event_id == _asked.c.event_id) if asked_alone else table

    return union_all(
        select(*(event_state.c[name] for name in names))
        .select_from(among(event_state))
        .where(event_state.c.timeline_id == TIMELINE_ID),
        select(*(of_event[name] if name in of_event else event.c[name] for name in names))
        .select_from(among(event))
        .where(event.c.timeline_id == TIMELINE_ID, not_(has_states)),
    )


_YEAR_1: ColumnElement[Any] = literal_column("'0001-01-01T00:00:00Z'::timestamptz")
_YEAR_10000: ColumnElement[Any] = literal_column("'10000-01-01T00:00:00Z'::timestamptz")


def instant_text(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    """Write an instant in the database as `service.dates.format_instant` does; none that is infinite."""
    utc = func.timezone(literal_column("'UTC'"), instant)
    year = cast(func.date_part(literal_column("'year'"), utc), Integer)
    # PostgreSQL counts -1 before 1
    astronomical = year + cast(year < literal_column("0"), Integer)
    far = (
        case(
            (astronomical < literal_column("0"), literal_column("'-'")),
            (astronomical > literal_column("9999"), literal_column("'+'")),
            else_=literal_column("''"),
        )
        .op("||")(func.to_char(func.abs(astronomical), literal_column("'FM999990000'")))
        .op("||")(func.to_char(utc, literal_column("""'-MM-DD"T"HH24:MI:SS.US'""")))
    )
    near = func.to_char(utc, literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US'"""))
    whole = case((and_(instant >= _YEAR_1, instant < _YEAR_10000), near), else_=far)
    without_zeros = func.rtrim(func.rtrim(whole, literal_column("'0'")), literal_column("'.'"))
    return without_zeros.op("||")(literal_column("'Z'"))
