"""The spans of time that a single date may mean.

A span is a pair of instants, half-open, not yet cut to the axis. A date whose digits are all known, or
unknown only from some place to its end, is one span; `1560-X2` is two, `XXXX-12-25` ten thousand.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, product
from types import MappingProxyType
from typing import Final, NamedTuple

from service.dates.instants import DAY, HOUR, MINUTE, SECOND, day_start, is_leap, month_length, month_start
from service.dates.tree import Date, Moment, Point, Year


class Span(NamedTuple):
    """A half-open stretch of time, in instants."""

    start: int
    end: int


_Run = tuple[int, int]


def _runs(numbers: Iterable[int]) -> tuple[_Run, ...]:
    """Join ascending numbers that follow upon each other into pairs of first and last."""
    runs: list[_Run] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return tuple(runs)


def _all_digits(mask: str) -> Iterator[str]:
    """Give the digits that a text may mean, `X` for any, in ascending order."""
    return map("".join, product(*("0123456789" if digit == "X" else digit for digit in mask)))


_MASKS: Final = tuple(map("".join, product("0123456789X", repeat=2)))
_NUMBERS: Final = MappingProxyType({mask: tuple(map(int, _all_digits(mask))) for mask in _MASKS})
"""The numbers that two digits may mean, `X` for any."""


def _calendar(highest: int) -> Mapping[str, tuple[_Run, ...]]:
    runs = {mask: _runs(n for n in numbers if 1 <= n <= highest) for mask, numbers in _NUMBERS.items()}
    return MappingProxyType({mask: run for mask, run in runs.items() if run})


SEASONS: Final = MappingProxyType(
    {
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
)
"""First and last month of what ISO 8601-2:2019, 4.8, numbers like months; 13 and 14 are of the next year."""

MONTHS: Final = MappingProxyType({**_calendar(12), **{number: (run,) for number, run in SEASONS.items()}})
"""The months or the season that two digits may mean, as pairs of first and last month; no key if none."""
DAYS: Final = _calendar(31)
"""The days that two digits may mean in the longest month, likewise."""

_FAR_DIGITS: Final = 18
_FEBRUARY: Final = ((2, 2),)
_LEAP_DAY: Final = 29
_UNSPECIFIED: Final = ("", "XX")


def small_number(digits: str) -> int:
    """Read digits, however many; a number of more than 18 of them counts as 10**18."""
    return int(digits) if len(digits) <= _FAR_DIGITS else 10**_FAR_DIGITS


def year_length(year: Year) -> int:
    """Give the number of digits of a year, those which its exponent adds included."""
    return len(year.digits) + small_number(year.exponent) if year.exponent else len(year.digits)


def year_range(year: Year) -> tuple[int, int]:
    """Give the first and the last year that a year may mean.

    Years of more than 18 digits all count as 10**18: on no axis can they be told apart. Of -0000, which is no
    year, the first is after the last.
    """
    digits, negative, exponent, significant = year
    length = year_length(year) if exponent else len(digits)
    if length > _FAR_DIGITS:
        low = high = 10**_FAR_DIGITS
    elif significant or "X" in digits:
        known = digits.ljust(length, "0")[: int(significant or length)]
        low = int(known.replace("X", "0").ljust(length, "0"))
        high = int(known.replace("X", "9").ljust(length, "9"))
    else:
        low = high = int(digits.ljust(length, "0"))
    if not negative:
        return low, high
    if low == 0:
        # The last unspecified digit must be 1 at least.
        *_, tail = digits.rpartition("X")
        low = 10 ** len(tail) if "X" in digits else 1
    return -high, -low


def hull(point: Point) -> Span | None:
    """Give the span from the earliest start to the latest end of a point, or None if no such day exists."""
    return _second(point) if isinstance(point, Moment) else _hull(point, point.year)


def spans(point: Point, limit: int) -> list[Span]:
    """List the spans that a point may mean, in no order, touching ones perhaps apart, at most `limit` (≥ 1).

    Where there would be more, spans of one year are one; if these are too many, those of a decade, a century,
    a millennium: what lies nearest together joins, and no year needs to be looked at one by one.
    """
    if isinstance(point, Moment) or not point.is_one_of_many or point.year.significant:
        whole = hull(point)
        return [whole] if whole else []
    digits, negative = point.year.digits, point.year.negative
    kept = len(digits)
    if _is_whole_year(point):
        kept = len(digits.rstrip("X"))
    elif 10 ** digits.count("X") <= limit:
        spans_by_year = (span for number in _years(point.year, 1) for span in _spans_in(point, number))
        finest = list(islice(spans_by_year, limit + 1))
        if len(finest) <= limit:
            return finest
    while 10 ** digits[:kept].count("X") > limit:
        kept -= 1
    years = (Year(known + digits[kept:], negative) for known in _all_digits(digits[:kept]))
    return [span for year in years if (span := _hull(point, year))]


def last_before(point: Point, instant: int) -> Span:
    """Give the last of a point's spans that begin before an instant; there must be one."""
    return _outermost(point, -1, lambda span: span.start < instant)


def first_after(point: Point, instant: int) -> Span:
    """Give the first of a point's spans that end after an instant; there must be one."""
    return _outermost(point, 1, lambda span: span.end > instant)


def _outermost(point: Point, step: int, fits: Callable[[Span], bool]) -> Span:
    """Find the first span that fits, or by -1 the last, settling one digit of the year after another."""
    if isinstance(point, Date) and point.is_one_of_many and not point.year.significant:
        year = point.year
        if "X" not in year.digits:
            return next(span for span in _spans_in(point, year_range(year)[0], step) if fits(span))
        for digit in "0123456789"[:: -step if year.negative else step]:
            known = year._replace(digits=year.digits.replace("X", digit, 1))
            if (span := _hull(point, known)) and fits(span):
                return _outermost(point._replace(year=known), step, fits)
    return existing(point)


def existing(point: Point) -> Span:
    """Give the hull of a point that is known to exist."""
    span = hull(point)
    if span is None:
        raise ValueError(f"there is no such day: {point}")
    return span


def _is_whole_year(date: Date) -> bool:
    return date.month in _UNSPECIFIED and date.day in _UNSPECIFIED


def _hull(date: Date, year: Year) -> Span | None:
    """Give the hull of a date as if it had another year."""
    low, high = year_range(year)
    if low > high:
        return None
    if _is_whole_year(date):
        return Span(day_start(low, 1, 1), day_start(high + 1, 1, 1))
    if date.day in _UNSPECIFIED:
        months = MONTHS[date.month]
        return Span(month_start(low, months[0][0]), month_start(high, months[-1][1] + 1))
    if low == high and "X" not in date.month and "X" not in date.day:
        month, day = int(date.month), int(date.day)
        start = day_start(low, month, day)
        return Span(start, start + DAY) if day <= month_length(low, month) else None
    if MONTHS[date.month] == _FEBRUARY and DAYS[date.day][0][0] == _LEAP_DAY:
        return _leap_days(year)
    # But for 29 February a date exists in all years or in none.
    first, last = next(_spans_in(date, low), None), next(_spans_in(date, high, -1), None)
    return Span(first.start, last.end) if first and last else None


def _leap_days(year: Year) -> Span | None:
    """Give the span from the first to the last 29 February of the years that four digits may mean."""
    low, high = next(filter(is_leap, _years(year, 1)), None), next(filter(is_leap, _years(year, -1)), None)
    if low is None or high is None:
        return None
    return Span(day_start(low, 2, _LEAP_DAY), day_start(high, 2, _LEAP_DAY) + DAY)


def _years(year: Year, step: int) -> Iterator[int]:
    """Give the years that four digits may mean, in the order of time or, by -1, against it."""
    sign = -1 if year.negative else 1
    heads, tails = _NUMBERS[year.digits[:2]][:: step * sign], _NUMBERS[year.digits[2:]][:: step * sign]
    numbers = (head * 100 + tail for head in heads for tail in tails)
    return (sign * number for number in numbers if number or sign > 0)


def _spans_in(date: Date, year: int, step: int = 1) -> Iterator[Span]:
    """Give the spans of a date in one year, if it has any, in the order of time or, by -1, against it."""
    if _is_whole_year(date):
        yield Span(day_start(year, 1, 1), day_start(year + 1, 1, 1))
        return
    for first_month, last_month in MONTHS[date.month][::step]:
        if date.day in _UNSPECIFIED:
            yield Span(month_start(year, first_month), month_start(year, last_month + 1))
            continue
        for month in range(first_month, last_month + 1)[::step]:
            length = month_length(year, month)
            for first, last in DAYS[date.day][::step]:
                if first <= length:
                    yield Span(day_start(year, month, first), day_start(year, month, min(last, length)) + DAY)


def _second(moment: Moment) -> Span | None:
    """Give the second that a moment names, in UTC."""
    day = hull(moment.date)
    if day is None:
        return None
    hours, minutes, seconds = map(int, moment.clock.split(":"))
    start = day.start + hours * HOUR + minutes * MINUTE + seconds * SECOND - _shift_length(moment.shift)
    return Span(start, start + SECOND)


def _shift_length(shift: str) -> int:
    """Give how far a shift from UTC, `Z`, `±hh`, `±hh:mm` or empty, is ahead of it, in microseconds."""
    if shift in ("", "Z"):
        return 0
    length = int(shift[1:3]) * HOUR + int(shift[4:] or 0) * MINUTE
    return -length if shift[0] == "-" else length
