"""The spans of time that a single date may mean.

A span is a pair of instants, half-open, not yet cut to the axis. A date whose digits are all known, or
unknown only from some place to its end, is one span; `1560-X2` is two, `XXXX-12-25` ten thousand.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from service.dates.instants import HOUR, MINUTE, SECOND, day_start, month_length, month_start
from service.dates.tree import Date, Moment, Point, Year


class Span(NamedTuple):
    """A half-open stretch of time, in instants."""

    start: int
    end: int


SEASONS: Final = {
    "21": (3, 5),
    "22": (6, 8),
    "23": (9, 11),
    "24": (12, 14),
    "25": (3, 5),
    "26": (6, 8),
    "27": (9, 11),
    "28": (12, 14),
    "29": (9, 11),
    "30": (12, 14),
    "31": (3, 5),
    "32": (6, 8),
    "33": (1, 3),
    "34": (4, 6),
    "35": (7, 9),
    "36": (10, 12),
    "37": (1, 4),
    "38": (5, 8),
    "39": (9, 12),
    "40": (1, 6),
    "41": (7, 12),
}
"""First and last month of what ISO 8601-2:2019, 4.8, numbers like months; 13 and 14 are of the next year."""

FAR_DIGITS: Final = 18
"""A year of more digits than these counts as 10**18: nobody can tell such years apart on any axis."""

_UNSPECIFIED: Final = ("", "XX")
_LEAP_YEAR: Final = 2000


def small_number(digits: str) -> int:
    """Read digits, however many; a number of more than 18 of them counts as 10**18."""
    return int(digits) if len(digits) <= FAR_DIGITS else 10**FAR_DIGITS


def year_length(year: Year) -> int:
    """Give the number of digits of a year, those which its exponent adds included (at most about 10**18)."""
    return len(year.digits) + small_number(year.exponent or "0")


def year_range(year: Year) -> tuple[int, int]:
    """Give the first and the last year that a year may mean, both within ±10**18."""
    length = year_length(year)
    if length > FAR_DIGITS:
        low = high = 10**FAR_DIGITS
    else:
        digits = year.digits.ljust(length, "0")
        known = small_number(year.significant) if year.significant else length
        low = int(digits[:known].replace("X", "0").ljust(length, "0"))
        high = int(digits[:known].replace("X", "9").ljust(length, "9"))
    # There is no year -0000.
    return (-high, -max(low, 1)) if year.negative else (low, high)


def fitting(mask: str, highest: int) -> list[int]:
    """List the numbers from 1 to `highest` that two digits, `X` for any, may mean."""
    pattern = re.compile(mask.replace("X", "."))
    return [number for number in range(1, highest + 1) if pattern.fullmatch(f"{number:02d}")]


def hull(point: Point) -> Span | None:
    """Give the span from the earliest start to the latest end of a point, or None if no such day exists."""
    if isinstance(point, Moment):
        return _second(point)
    if _is_whole_year(point):
        low, high = year_range(point.year)
        return Span(day_start(low, 1, 1), day_start(high + 1, 1, 1))
    first = next((spans[0] for year in _years(point.year) if (spans := _spans_in(point, year))), None)
    if first is None:
        return None
    if not point.is_one_of_many:
        return first
    last = next(spans[-1] for year in _years(point.year, backwards=True) if (spans := _spans_in(point, year)))
    return Span(first.start, last.end)


def spans(point: Point, limit: int) -> list[Span]:
    """List the spans that a point may mean, in no order, touching ones perhaps apart, at most `limit` (≥ 1).

    Where there would be more, spans of one year are one; if these are too many, those of a decade, a century,
    a millennium: what lies nearest together joins, and no year needs to be looked at one by one.
    """
    if isinstance(point, Moment) or not point.is_one_of_many or point.year.significant:
        whole = hull(point)
        return [whole] if whole else []
    digits = point.year.digits
    kept = len(digits.rstrip("X")) if _is_whole_year(point) else len(digits)
    if kept == len(digits) and 10 ** digits.count("X") * len(_spans_in(point, _LEAP_YEAR)) <= limit:
        return [span for year in _years(point.year) for span in _spans_in(point, year)]
    while 10 ** digits[:kept].count("X") > limit:
        kept -= 1
    known_more = (
        point._replace(year=point.year._replace(digits="".join(known) + digits[kept:]))
        for known in product(*map(_choices, digits[:kept]))
    )
    return [span for date in known_more if (span := hull(date))]


def _is_whole_year(date: Date) -> bool:
    return date.month in _UNSPECIFIED and date.day in _UNSPECIFIED


def _choices(digit: str) -> str:
    return "0123456789" if digit == "X" else digit


def _years(year: Year, *, backwards: bool = False) -> Iterator[int]:
    """Give the years that four digits may mean, in the order of time or against it."""
    step = -1 if year.negative != backwards else 1
    choices = (_choices(digit)[::step] for digit in year.digits)
    for digits in product(*choices):
        number = int("".join(digits))
        if not year.negative:
            yield number
        elif number:
            yield -number


def _spans_in(date: Date, year: int) -> list[Span]:
    """List the spans of a date in one year, in order, none if it has no such day."""
    if _is_whole_year(date):
        return [Span(day_start(year, 1, 1), day_start(year + 1, 1, 1))]
    if date.month in SEASONS:
        first, last = SEASONS[date.month]
        return [Span(month_start(year, first), month_start(year, last + 1))]
    months = fitting(date.month, 12)
    if date.day in _UNSPECIFIED:
        return [Span(month_start(year, first), month_start(year, last + 1)) for first, last in _runs(months)]
    days = _runs(fitting(date.day, 31))
    return [
        Span(day_start(year, month, first), day_start(year, month, min(last, length) + 1))
        for month in months
        for length in [month_length(year, month)]
        for first, last in days
        if first <= length
    ]


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Join ascending numbers that follow upon each other into pairs of first and last."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _second(moment: Moment) -> Span:
    """Give the second that a moment names, in UTC."""
    day = hull(moment.date)
    if day is None:
        raise ValueError(f"no such day: {moment.date}")
    hours, minutes, seconds = map(int, moment.clock.split(":"))
    start = day.start + hours * HOUR + minutes * MINUTE + seconds * SECOND - shift_length(moment.shift)
    return Span(start, start + SECOND)


def shift_length(shift: str) -> int:
    """Give how far a shift from UTC, `Z`, `±hh`, `±hh:mm` or empty, is ahead of it, in microseconds."""
    if shift in ("", "Z"):
        return 0
    length = int(shift[1:3]) * HOUR + int(shift[4:] or 0) * MINUTE
    return -length if shift[0] == "-" else length
