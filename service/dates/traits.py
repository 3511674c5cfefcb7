"""What an expression tells about itself: its EDTF level, its precision, its qualifiers."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from service.dates.spans import SEASONS, small_number, year_length
from service.dates.tree import Date, DateSet, Edge, Interval, Member, Moment, Point, Range, Tree


class Precision(StrEnum):
    """The calendar unit to which a date is known, the finest first."""

    SECOND = "second"
    DAY = "day"
    MONTH = "month"
    SEASON = "season"
    QUARTER = "quarter"
    QUADRIMESTER = "quadrimester"
    SEMESTER = "semester"
    YEAR = "year"
    DECADE = "decade"
    CENTURY = "century"
    MILLENNIUM = "millennium"
    MILLENNIA = "millennia"


_ORDER: Final = tuple(Precision)
_YEARS: Final = (
    Precision.YEAR,
    Precision.DECADE,
    Precision.CENTURY,
    Precision.MILLENNIUM,
    Precision.MILLENNIA,
)

_SEASONS_UP_TO: Final = (
    (32, Precision.SEASON),
    (36, Precision.QUARTER),
    (39, Precision.QUADRIMESTER),
    (41, Precision.SEMESTER),
)
_LAST_SEASON_OF_LEVEL_1: Final = "24"
_MASK_OF_LEVEL_1: Final = re.compile(r"[0-9]{2}[0-9X]X|[0-9]{4}-XX(?:-XX)?|[0-9]{4}-[0-9]{2}-XX")


def points_of(tree: Tree) -> Iterator[Point]:
    """Give all dates and moments of an expression, in the order of writing."""
    match tree:
        case Interval(start, end):
            yield from (point for point in (start, end) if not isinstance(point, Edge))
        case DateSet(members, _):
            for member in members:
                yield from _points_of_member(member)
        case _:
            yield tree


def _points_of_member(member: Member) -> Iterator[Point]:
    match member:
        case Range(first, last):
            yield from (point for point in (first, last) if point is not None)
        case _:
            yield member


def dates_of(tree: Tree) -> Iterator[Date]:
    """Give all dates of an expression, those of moments included, in the order of writing."""
    return (point.date if isinstance(point, Moment) else point for point in points_of(tree))


def flags_of(tree: Tree) -> int:
    """Give the qualifiers' flags of all dates of an expression together."""
    flags = 0
    for date in dates_of(tree):
        flags |= date.flags
    return flags


def precision_of(tree: Tree) -> Precision:
    """Give the precision of an expression: that of its coarsest date.

    A date is as precise as its last part that is not wholly unspecified: `1985-04-XX` is known to the month,
    `2004-XX` to the year, `201X` to the decade, `156X-12-25` to the day. Significant digits tell likewise:
    `1950S2` is known to the century.
    """
    return max(map(_precision_of_point, points_of(tree)), key=_ORDER.index)


def _precision_of_point(point: Point) -> Precision:
    if isinstance(point, Moment):
        return Precision.SECOND
    if point.day not in ("", "XX"):
        return Precision.DAY
    if point.month not in ("", "XX"):
        return _precision_of_month(point.month)
    year = point.year
    if year.significant:
        unknown = year_length(year) - small_number(year.significant)
    else:
        unknown = len(year.digits) - len(year.digits.rstrip("X"))
    return _YEARS[min(unknown, len(_YEARS) - 1)]


def _precision_of_month(month: str) -> Precision:
    if month not in SEASONS:
        return Precision.MONTH
    number = int(month)
    return next(precision for last, precision in _SEASONS_UP_TO if number <= last)


def level_of(tree: Tree) -> int:
    """Give the lowest EDTF level, 0 to 2, that can write an expression (ISO 8601-2:2019, Annex A)."""
    match tree:
        case DateSet():
            return 2
        case Interval(start, end):
            if any("X" in str(date) for date in dates_of(tree)):
                return 2
            has_edge = isinstance(start, Edge) or isinstance(end, Edge)
            return max(int(has_edge), *map(_level_of_date, dates_of(tree)))
        case _:
            return max(map(_level_of_date, dates_of(tree)))


def _level_of_date(date: Date) -> int:
    year, digits = date.year, "-".join(filter(None, (date.year.digits, date.month, date.day)))
    is_masked = "X" in digits
    is_season = date.month in SEASONS
    if (
        not date.is_evenly_qualified
        or year.exponent
        or year.significant
        or (is_season and date.month > _LAST_SEASON_OF_LEVEL_1)
        or (is_masked and not _MASK_OF_LEVEL_1.fullmatch(digits))
    ):
        return 2
    return int(is_masked or is_season or year.negative or len(year.digits) > len("9999") or date.flags > 0)
