"""The calendar's units as rows of buckets: each instant lies in one bucket of each unit.

Weeks begin on Monday (ISO 8601-1:2019, 3.1.2.16). Decades and centuries are those that EDTF writes: `201X` is 2010 to
2019, `-004X` is -0049 to -0040, and `-000X` has the nine years -0009 to -0001, since -0000 is no year.
"""

from enum import StrEnum

from service.dates.instants import AXIS_END, AXIS_START, DAY, civil_day, day_start


class Unit(StrEnum):
    """A unit of the calendar, the shortest first."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    DECADE = "decade"
    CENTURY = "century"


MONDAY_DAYS = 4
"""From 1970-01-01 so many days to a Monday, which begins week 0."""
MONTHS = {Unit.MONTH: 1, Unit.QUARTER: 3}
"""The units that are made of months, and of how many."""
YEARS = {Unit.YEAR: 1, Unit.DECADE: 10, Unit.CENTURY: 100}
"""The units that are made of years, and of how many."""
_WEEK_DAYS = 7


def bucket_of(unit: Unit, instant: int) -> int:
    """Give the number of the bucket in which an instant lies; buckets that follow each other have adjoining numbers."""
    if unit is Unit.DAY:
        return instant // DAY
    if unit is Unit.WEEK:
        return (instant // DAY - MONDAY_DAYS) // _WEEK_DAYS
    year, month, _ = civil_day(instant)
    if unit in MONTHS:
        return (year * 12 + month - 1) // MONTHS[unit]
    years = YEARS[unit]
    return year // years if year >= 0 or years == 1 else -1 - -year // years


def bucket_start(unit: Unit, number: int) -> int:
    """Give the instant at which a bucket begins, and the one before it ends."""
    if unit is Unit.DAY:
        return number * DAY
    if unit is Unit.WEEK:
        return (number * _WEEK_DAYS + MONDAY_DAYS) * DAY
    if unit in MONTHS:
        year, month = divmod(number * MONTHS[unit], 12)
        return day_start(year, month + 1, 1)
    years = YEARS[unit]
    return day_start(number * years if number >= 0 or years == 1 else number * years + 1, 1, 1)


def axis_buckets(unit: Unit) -> tuple[int, int]:
    """Give the numbers of the first and the last bucket of the axis of time."""
    return bucket_of(unit, AXIS_START), bucket_of(unit, AXIS_END)
