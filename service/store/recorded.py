"""All that was ever recorded of a timeline's events: each state, as it was written.

An event that has no states is one of a release before them, and what it is stands for its only state: as the next
write of it would have it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    and_,
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

from service.store.selection import TIMELINE_ID
from service.store.states import UNKNOWN_AUTHOR
from service.tables import event, event_state

MEMBERS = ("version", "reported_at", "recorded_at", "supersedes", "author", "reason", "shape", "document")


def recorded() -> CompoundSelect[Any]:
    """Select an event's identity and `MEMBERS` of each state of a timeline."""
    return union_all(recorded_states(), _stateless())


def recorded_of(event_id: ColumnElement[Any]) -> CompoundSelect[Any]:
    """Select the same of one event."""
    # in an order, or an index that is slow at this would do
    states = recorded_states().where(event_state.c.event_id == event_id).order_by(event_state.c.version)
    return union_all(states, _stateless().where(event.c.event_id == event_id))


def recorded_states() -> Select[Any]:
    """Select the same of a timeline, but for events without states."""
    members = (event_state.c[name] for name in MEMBERS)
    return select(event_state.c.event_id, *members).where(event_state.c.timeline_id == TIMELINE_ID)


def has_stateless() -> Select[Any]:
    """Select whether a timeline has any event without states."""
    return select(_stateless().exists())


def _stateless() -> Select[Any]:
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
    return select(event.c.event_id, *members).where(event.c.timeline_id == TIMELINE_ID, not_(has_states))


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
