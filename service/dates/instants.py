"""Instants: whole microseconds since 1970-01-01T00:00:00Z, and the civil calendar about them.

The calendar is the proleptic Gregorian one with astronomical years (0 is 1 BC), for any year whatever:
Python's own `datetime` begins with year 1. Beyond `AXIS_START` and `AXIS_END`, the ends of PostgreSQL's time axis,
no expression has a finite bound. Counted from 1970 the last years of that axis take more than 64 bits, and so do
the two integers that stand for the infinities.
"""

import re
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

DISTANT_PAST: Final = -(2**64)
DISTANT_FUTURE: Final = 2**64

_MONTH_DAYS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY: Final = 2
_DECEMBER: Final = 12
_LAST_UNSIGNED_YEAR: Final = 9999
# The civil algorithms count a year from 1 March, so that its leap day comes last.
_DAYS_TO_EPOCH: Final = 719_469
_DAYS_IN_400_YEARS: Final = 146_097


def is_leap(year: int) -> bool:
    """Tell whether the year has a 29 February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year: int, month: int) -> int:
    """Give the number of days in a month, 1 to 12, of a year."""
    return 29 if month == _FEBRUARY and is_leap(year) else _MONTH_DAYS[month]


def day_start(year: int, month: int, day: int) -> int:
    """Give the instant at which a day begins.

    The month is 1 to 12; a day past the month's end runs on into the next month.
    """
    if month <= _FEBRUARY:
        year -= 1
        month += 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day
    return (days - _DAYS_TO_EPOCH) * DAY


def month_start(year: int, month: int) -> int:
    """Give the instant at which a month begins; months 13 to 24 are those of the next year."""
    if month > _DECEMBER:
        return day_start(year + 1, month - _DECEMBER, 1)
    return day_start(year, month, 1)


def civil_day(instant: int) -> tuple[int, int, int]:
    """Give the year, month and day in which an instant lies: the inverse of `day_start`."""
    days = instant // DAY + _DAYS_TO_EPOCH - 1
    era, day_of_era = divmod(days, _DAYS_IN_400_YEARS)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3
    if month > _DECEMBER:
        month -= _DECEMBER
    return era * 400 + year_of_era + (month <= _FEBRUARY), month, day


AXIS_START: Final = day_start(-4712, 1, 1)
AXIS_END: Final = day_start(294_277, 1, 1) - 1


def format_instant(instant: int) -> str | None:
    """Write an instant as RFC 3339 in UTC, or give None for either infinity.

    Seconds carry a fraction only where there is one. Years before 0 are written `-0043`, years of more than
    four digits `+12345` (ISO 8601-1:2019, 4.3.2, expanded representations).
    """
    if instant in (DISTANT_PAST, DISTANT_FUTURE):
        return None
    year, month, day = civil_day(instant)
    sign = "-" if year < 0 else "+" if year > _LAST_UNSIGNED_YEAR else ""
    seconds, microsecond = divmod(instant % DAY, SECOND)
    fraction = f".{microsecond:06d}".rstrip("0") if microsecond else ""
    hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{sign}{abs(year):04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


_RFC_3339: Final = re.compile(
    r"(?P<year>[0-9]{4}|[-+][0-9]{4,6})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
    r"[Tt](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,6}))?)?"
    r"(?:[Zz]|(?P<sign>[-+])(?P<shift_hour>[01][0-9]|2[0-3]):(?P<shift_minute>[0-5][0-9]))"
)


def parse_instant(text: str) -> int:
    """Read an RFC 3339 instant with any offset: the inverse of `format_instant`.

    Seconds may be left out, and a year may be signed as `format_instant` writes it.

    Raises:
        ValueError: The text is no such instant, or lies outside the axis.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError("expected an instant such as 2013-02-15T00:00:00Z or 2013-02-15T00:00:00.5+01:00")
    year, month, day = (int(part) for part in match.group("year", "month", "day"))
    if day > month_length(year, month):
        raise ValueError(f"{text[: match.end('month')]} has no day {day}")
    hour, minute, second = (int(part or 0) for part in match.group("hour", "minute", "second"))
    instant = day_start(year, month, day) + hour * HOUR + minute * MINUTE + second * SECOND
    if fraction := match["fraction"]:
        instant += int(fraction.ljust(6, "0"))
    if sign := match["sign"]:
        shift = int(match["shift_hour"]) * HOUR + int(match["shift_minute"]) * MINUTE
        instant += shift if sign == "-" else -shift
    if not AXIS_START <= instant <= AXIS_END:
        raise ValueError("expected an instant from -4712-01-01 to +294276-12-31")
    return instant
