"""An event's bounds as other formats need them: as civil dates, and what is certain of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from service.dates import DISTANT_FUTURE, DISTANT_PAST, Expression
from service.dates.instants import DAY, SECOND, civil_day

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The years of Python's calendar, and of all formats whose years have four digits.
_FIRST_DAY: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_END: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def has_four_digits(instant: int) -> bool:
    """Tell whether an instant lies in the years 1 to 9999."""
    return _FIRST_DAY <= instant <= _END


def as_datetime(instant: int) -> datetime:
    """Give an instant of the years 1 to 9999 in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def as_date(instant: int) -> date:
    """Give the day of the years 1 to 9999 in which an instant lies."""
    return as_datetime(instant).date()


def is_exact(expression: Expression, *, to_the_day: bool) -> bool:
    """Tell whether a date says from which day, or second, to which it was: then words add nothing to a calendar."""
    unit = DAY if to_the_day else SECOND
    bounds = expression.bounds
    if bounds.start_earliest == DISTANT_PAST or bounds.end_latest == DISTANT_FUTURE:
        return False
    return (
        not expression.approximate
        and not expression.uncertain
        and expression.pieces is None
        and bounds.start_latest - bounds.start_earliest < unit
        and bounds.end_latest - bounds.end_earliest < unit
    )


def common_date(earliest: int, latest: int) -> str | None:
    """Write as ISO 8601 the shortest time of the calendar that holds both instants: a second, day, month or year.

    None where not even the year is the same, or has more than four digits.
    """
    if not (has_four_digits(earliest) and has_four_digits(latest)):
        return None
    first, last = civil_day(earliest), civil_day(latest)
    if first != last:
        (year, month, _), (other_year, other_month, _) = first, last
        if year != other_year:
            return None
        return f"{year:04d}" if month != other_month else f"{year:04d}-{month:02d}"
    if earliest // SECOND == latest // SECOND:
        return as_datetime(earliest).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    return "{:04d}-{:02d}-{:02d}".format(*first)
