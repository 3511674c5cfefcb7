"""The three answers as conditions on an event's columns.

The closed forms are those of `service.dates.relate`, term by term; a property test holds the two together.
A window's open end (±infinity) imposes nothing: no real instant lies beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from service.dates import DISTANT_FUTURE, DISTANT_PAST, Answer, Relation, Window

Condition = ColumnElement[bool]
_INSTANT = DateTime(timezone=True)
WINDOW_START: ColumnElement[Any] = bindparam("window_start", type_=_INSTANT)
WINDOW_END: ColumnElement[Any] = bindparam("window_end", type_=_INSTANT)


@dataclass(frozen=True, slots=True)
class WindowShape:
    """All of a window that decides a statement's form; the instants themselves are its values."""

    relation: Relation
    certainty: Answer
    open_start: bool
    open_end: bool

    @classmethod
    def of(cls, window: Window, relation: Relation, certainty: Answer) -> WindowShape:
        """Take the shape of a window under a relation."""
        return cls(relation, certainty, window.start == DISTANT_PAST, window.end == DISTANT_FUTURE)

    @property
    def is_certain(self) -> bool:
        """Tell whether only what must be so is asked for."""
        return self.certainty is Answer.CERTAIN

    @property
    def minds_only_gaps(self) -> bool:
        """Tell whether all that lies in the window's extent belongs to the answer, unless it has gaps."""
        return self.relation is Relation.INTERSECTS and not self.is_certain


def range_between(start: ColumnElement[Any] | None, end: ColumnElement[Any] | None) -> ColumnElement[Any]:
    """Make a half-open range; None is an open end."""
    none: ColumnElement[Any] = literal_column("NULL::timestamptz")
    return func.tstzrange(none if start is None else start, none if end is None else end)


def meets_window(shape: WindowShape, event: FromClause) -> Condition:
    """Tell whether an event's range meets the window, or for `before` and `after` what lies on that side of it."""
    start = None if shape.open_start else WINDOW_START
    end = None if shape.open_end else WINDOW_END
    if shape.relation is Relation.BEFORE:
        start, end = None, start
    elif shape.relation is Relation.AFTER:
        start, end = end, None
    if "possible" not in event.c:  # a past state, whose range nobody asks for but the planner
        return and_(
            true() if start is None else event.c.end_latest > start,
            true() if end is None else event.c.start_earliest < end,
        )
    return event.c.possible.op("&&")(range_between(start, end))


def holds(shape: WindowShape, event: FromClause) -> Condition:
    """Tell whether an event that lies in the window's extent stands in the shape's relation to it."""
    start = None if shape.open_start else WINDOW_START
    end = None if shape.open_end else WINDOW_END
    match shape.relation:
        case Relation.INTERSECTS:
            return _intersects(shape, event, start, end)
        case Relation.WITHIN:
            return _within(shape, event, start, end)
        case Relation.CONTAINS:
            return _contains(shape, event, start, end)
        case Relation.BEFORE:
            # nothing lies before a window without start, or after one without end
            latest = event.c.end_latest if shape.is_certain else event.c.end_earliest
            return false() if start is None else latest <= start
        case _:
            earliest = event.c.start_earliest if shape.is_certain else event.c.start_latest
            return false() if end is None else earliest >= end


def _intersects(
    shape: WindowShape, event: FromClause, start: ColumnElement[Any] | None, end: ColumnElement[Any] | None
) -> Condition:
    window = range_between(start, end)
    if not shape.is_certain:
        # the hull meets the window, as the extent says; of a gapped event a piece must
        return or_(event.c.pieces.is_(None), event.c.pieces.op("&&")(window))
    piece = func.unnest(event.c.pieces).alias("piece")
    return case(
        (event.c.every_piece, exists(select(1).where(piece.column.op("<@")(window)))),
        else_=and_(
            true() if start is None else event.c.end_earliest > start,
            true() if end is None else event.c.start_latest < end,
        ),
    )


def _within(
    shape: WindowShape, event: FromClause, start: ColumnElement[Any] | None, end: ColumnElement[Any] | None
) -> Condition:
    if shape.is_certain:
        return and_(
            true() if start is None else event.c.start_earliest >= start,
            true() if end is None else event.c.end_latest <= end,
        )
    # that some start < some end fits goes without saying: the extent has the event meet the window
    return and_(
        true() if start is None else event.c.start_latest >= start,
        true() if end is None else event.c.end_earliest <= end,
    )


def _contains(
    shape: WindowShape, event: FromClause, start: ColumnElement[Any] | None, end: ColumnElement[Any] | None
) -> Condition:
    # an open end is contained only by what has none itself
    first: ColumnElement[Any] = literal_column("'-infinity'::timestamptz") if start is None else start
    last: ColumnElement[Any] = literal_column("'infinity'::timestamptz") if end is None else end
    if shape.is_certain:
        # what happens in several pieces is not there between them
        return and_(not_(event.c.every_piece), event.c.start_latest <= first, event.c.end_earliest >= last)
    return and_(event.c.start_earliest <= first, event.c.end_latest >= last)
