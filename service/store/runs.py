"""From events to runs of buckets: in which of the calendar's buckets an event may lie, and in which it must.

A gapless event may lie in the buckets from its earliest start to its latest end, and certainly lies in those from its
latest start to its earliest end, if there are any: the closed forms of `service.store.window`, solved for the window.
With gaps, each piece is such a run, and those that share a bucket are one. So nothing is compared with each bucket: it
is enough to mark where runs begin and end, and to sum up.

All buckets begin with a day. So events are first counted by the days of their four bounds, and only then numbered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Date,
    FromClause,
    Integer,
    Interval,
    Select,
    case,
    cast,
    func,
    literal_column,
    not_,
    select,
    true,
    union_all,
)

from service.dates import AXIS_START, Unit, axis_buckets, bucket_of
from service.dates.buckets import MONDAY_DAYS, MONTHS, YEARS

# What a table must have to be counted, beside the number of events that a row stands for.
BOUNDS = ("start_earliest", "start_latest", "end_earliest", "end_latest", "pieces", "every_piece")
MARKS = ("possible_from", "possible_to", "certain_from", "certain_to")

_CERTAIN: ColumnElement[Any] = literal_column("true")
_POSSIBLE: ColumnElement[Any] = literal_column("false")
_DAY_ZERO: ColumnElement[Any] = literal_column("DATE '1970-01-01'", Date)
_YEAR_ZERO: ColumnElement[Any] = literal_column("DATE '0001-01-01 BC'", Date)
_YEAR_ONE: ColumnElement[Any] = literal_column("DATE '0001-01-01'", Date)
# What is divided counts from before the axis of time: below 0 the database's division would not round down.
_WEEKS_BEFORE = 400_000
_YEARS_BEFORE = 5_000


def number(value: int) -> ColumnElement[Any]:
    """Write a number into a statement."""
    return literal_column(str(value), Integer)


def mark_runs(units: Iterable[Unit], rows: FromClause) -> dict[Unit, CompoundSelect[Any]]:
    """Select, for each unit, the marks of these rows' runs: a bucket, and how many begin or end there by `MARKS`.

    `rows` has the columns `BOUNDS` and `events`, how many events a row stands for, which may be below 0. A bucket may
    come several times. What has no beginning begins in a bucket before the axis, what has no end ends behind it.
    """
    counted = _counted(rows)
    return {unit: _marks(_runs(unit, counted)) for unit in units}


def _counted(rows: FromClause) -> CTE:
    """Count events by the days of their bounds, and by their pieces."""
    kinds = [
        _day(rows.c.start_earliest).label("possible_from"),
        _last_day(rows.c.end_latest).label("possible_to"),
        _day(rows.c.start_latest).label("certain_from"),
        _last_day(rows.c.end_earliest).label("certain_to"),
        rows.c.pieces,
        rows.c.every_piece,
    ]
    # narrow again: a sum of wide integers is a decimal, which takes far longer
    events = cast(func.sum(rows.c.events), Integer).label("events")
    return select(*kinds, events).group_by(*kinds).cte("counted")


def _marks(runs: CTE) -> CompoundSelect[Any]:
    """Mark where runs begin and where they end."""
    nothing = number(0)
    possible: ColumnElement[Any] = case((runs.c.is_certain, nothing), else_=runs.c.events)
    certain: ColumnElement[Any] = case((runs.c.is_certain, runs.c.events), else_=nothing)
    begins = (possible, nothing, certain, nothing)
    ends = (nothing, possible, nothing, certain)
    return union_all(
        *(
            select(bucket.label("bucket"), *(one.label(name) for one, name in zip(counts, MARKS, strict=True)))
            for bucket, counts in ((runs.c.first, begins), (runs.c.last, ends))
        )
    )


def _runs(unit: Unit, counted: FromClause) -> CTE:
    """Select the runs of buckets: the first, the last, how many events, and whether these are certain of them."""
    numbered = select(
        _first(unit, counted.c.possible_from).label("possible_from"),
        _last(unit, counted.c.possible_to).label("possible_to"),
        _first(unit, counted.c.certain_from).label("certain_from"),
        _last(unit, counted.c.certain_to).label("certain_to"),
        counted.c.pieces,
        counted.c.every_piece,
        counted.c.events,
    ).cte(f"numbered_{unit}")
    return union_all(
        select(
            numbered.c.possible_from.label("first"),
            numbered.c.possible_to.label("last"),
            numbered.c.events,
            _POSSIBLE.label("is_certain"),
        ).where(numbered.c.pieces.is_(None)),
        select(numbered.c.certain_from, numbered.c.certain_to, numbered.c.events, _CERTAIN).where(
            numbered.c.certain_from <= numbered.c.certain_to, not_(numbered.c.every_piece)
        ),
        _runs_of_pieces(unit, counted, is_certain=False),
        _runs_of_pieces(unit, counted, is_certain=True),
    ).cte(f"runs_{unit}")


def _runs_of_pieces(unit: Unit, counted: FromClause, *, is_certain: bool) -> Select[Any]:
    """Select the runs in which a piece may lie, or the buckets that hold one whole, where every piece counts."""
    piece: ColumnElement[Any] = func.unnest(counted.c.pieces).alias("piece").column
    # an open end of a range is no infinity, and has no value
    days = (
        select(
            _day(func.coalesce(func.lower(piece), literal_column("'-infinity'::timestamptz"))).label("first"),
            _last_day(func.coalesce(func.upper(piece), literal_column("'infinity'::timestamptz"))).label("last"),
        )
        .correlate(counted)
        .subquery("days")
    )
    # a piece without beginning or end lies whole in no bucket but one that is open there
    number_start, number_end = (_last, _first) if is_certain else (_first, _last)
    first, last = number_start(unit, days.c.first), number_end(unit, days.c.last)
    buckets = select(func.range_agg(func.int4range(first, last + number(1))))
    if is_certain:
        buckets = buckets.where(first == last)
    name = "bucket" if is_certain else "run"
    run = func.unnest(buckets.correlate(counted).scalar_subquery()).alias(name)
    rows = select(
        func.lower(run.column),
        func.upper(run.column) - number(1),
        counted.c.events,
        _CERTAIN if is_certain else _POSSIBLE,
    )
    of_runs = rows.select_from(counted.join(run, true()))
    return of_runs.where(counted.c.every_piece if is_certain else counted.c.pieces.is_not(None))


# Before and behind the axis of time is a bucket each, for what has no beginning or no end. An open end of a window
# imposes nothing, and the first bucket of some units and the last of all reach beyond the axis, which leaves them open
# there: an event that may begin at +∞ begins in the last bucket at the latest, one that may end at -∞ ends in the
# first, if it is open, at the earliest.


def _first(unit: Unit, day: ColumnElement[Any]) -> ColumnElement[Any]:
    first, last = axis_buckets(unit)
    return _numbered(unit, day, first - 1, last)


def _last(unit: Unit, day: ColumnElement[Any]) -> ColumnElement[Any]:
    _, last = axis_buckets(unit)
    return _numbered(unit, day, bucket_of(unit, AXIS_START - 1), last + 1)


def _numbered(unit: Unit, day: ColumnElement[Any], past: int, future: int) -> ColumnElement[Any]:
    """Number the bucket in which a day lies, as `service.dates.bucket_of` does."""
    return case(
        (func.isfinite(day), _of_day(unit, day)),
        (day < _DAY_ZERO, number(past)),
        else_=number(future),
    )


def _of_day(unit: Unit, day: ColumnElement[Any]) -> ColumnElement[Any]:
    if unit in (Unit.DAY, Unit.WEEK):
        days = cast(day - _DAY_ZERO, Integer)
        if unit is Unit.DAY:
            return days
        return (days + number(7 * _WEEKS_BEFORE - MONDAY_DAYS)) // number(7) - number(_WEEKS_BEFORE)
    # PostgreSQL has a year -1 before year 1, and no year 0
    year = _part("year", day) + cast(day < _YEAR_ONE, Integer) + number(_YEARS_BEFORE)
    if unit in MONTHS:
        months = year * number(12) + _part("month", day) - number(1)
        return months // number(MONTHS[unit]) - number(12 * _YEARS_BEFORE // MONTHS[unit])
    if unit is not Unit.YEAR:
        # EDTF has no -0000: what ends with year 0 is a year shorter
        year = year - cast(day < _YEAR_ZERO, Integer)
    return year // number(YEARS[unit]) - number(_YEARS_BEFORE // YEARS[unit])


def _part(name: str, day: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.date_part(literal_column(f"'{name}'"), day), Integer)


def _day(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.timezone(literal_column("'UTC'"), instant), Date)


def _last_day(end: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the last day that what ends at an instant has a part of."""
    return _day(end - literal_column("INTERVAL '1 microsecond'", Interval))
