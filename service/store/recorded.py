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
    Select,
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
    return union_all(recorded_states(asked_alone=asked_alone), _stateless(asked_alone=asked_alone))


def recorded_states(*, asked_alone: bool = False) -> Select[Any]:
    """Select the same, but for events without states."""
    return (
        select(event_state.c.event_id, *(event_state.c[name] for name in MEMBERS))
        .select_from(_among(event_state, asked_alone=asked_alone))
        .where(event_state.c.timeline_id == TIMELINE_ID)
    )


def has_stateless() -> Select[Any]:
    """Select whether a timeline has any event without states."""
    return select(_stateless(asked_alone=False).exists())


def _stateless(*, asked_alone: bool) -> Select[Any]:
    of_event: dict[str, ColumnElement[Any]] = {
        "supersedes": literal_column("false"),
        "author": cast(literal_column(f"'{UNKNOWN_AUTHOR}'"), Text),
        "reason": cast(null(), Text),
    }
    has_states = exists(
        select(literal_column("1")).where(
            event_state.c.timeline_id == event.c.timeline_id, event_state.c.event_id == event.c.event_id
        )
    )
    members = (of_event[name] if name in of_event else event.c[name] for name in MEMBERS)
    return (
        select(event.c.event_id, *members)
        .select_from(_among(event, asked_alone=asked_alone))
        .where(event.c.timeline_id == TIMELINE_ID, not_(has_states))
    )


def _among(table: Table, *, asked_alone: bool) -> FromClause:
    return table.join(_asked, table.c.event_id == _asked.c.event_id) if asked_alone else table


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
