"""The names of years, months, days and seconds in English, whatever of them is unknown."""

from types import MappingProxyType
from typing import Final

from service.dates.instants import month_length
from service.dates.spans import DAYS, MONTHS, SEASONS, year_length, year_range
from service.dates.tree import Date, Moment, Year

_MONTH_NAMES: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_SEASON_NAMES: Final = MappingProxyType(
    {
        "21": "spring",
        "22": "summer",
        "23": "autumn",
        "24": "winter",
        "25": "northern spring",
        "26": "northern summer",
        "27": "northern autumn",
        "28": "northern winter",
        "29": "southern spring",
        "30": "southern summer",
        "31": "southern autumn",
        "32": "southern winter",
        "33": "the first quarter of",
        "34": "the second quarter of",
        "35": "the third quarter of",
        "36": "the fourth quarter of",
        "37": "the first quadrimester of",
        "38": "the second quadrimester of",
        "39": "the third quadrimester of",
        "40": "the first half of",
        "41": "the second half of",
    }
)
_UNNAMED: Final = ("", "XX")
_MOST_LISTED: Final = 3
_MOST_NAMED_DIGITS: Final = 18
_SHOWN_DIGITS: Final = 6
_FIRST_BARE_YEAR: Final = 1000
_LAST_BARE_YEAR: Final = 9999
_SOME_LEAP_YEAR: Final = 2000


def moment_name(moment: Moment) -> str:
    """Name a second: `23:20:30 UTC on 12 April 1985`, `23:20:30 (UTC+04:30) on 12 April 1985`."""
    day = " ".join(date_words(moment.date))
    if moment.shift in ("", "Z"):
        return f"{moment.clock} UTC on {day}"
    sign, hours, minutes = moment.shift[0], moment.shift[1:3], moment.shift[4:] or "00"
    return f"{moment.clock} (UTC{sign.replace('-', '−')}{hours}:{minutes}) on {day}"


def date_words(date: Date) -> tuple[str, ...]:
    """Name a date in words such as `25`, `February`, `2013`, of which a neighbour may share the last.

    What cannot be shared is one word of several: `some day from 20 to 28 February 2013`.
    """
    year = _year_name(date.year)
    if date.month in _UNNAMED and date.day in _UNNAMED:
        return (year,)
    if date.month in SEASONS:
        season = _SEASON_NAMES[date.month]
        return (f"{season} {year}" if season.endswith(" of") else _of(season, year),)
    month = _month_name(date.month)
    if date.day in _UNNAMED:
        return (month, year) if not date.is_one_of_many else (_of(month, year),)
    day = _day_name(date)
    if not date.is_one_of_many:
        return day, month, year
    if month.startswith(("an ", "some ")):
        return (f"{day if day.startswith('some ') else f'day {day}'} of {_of(month, year)}",)
    return (f"{day} {_of(month, year)}",)


def unknown_parts(date: Date) -> list[str]:
    """List what `date_words` passes over, because nothing of it is known: the day, or month and day."""
    if date.day == "XX":
        return ["month", "day"] if date.month == "XX" else ["day"]
    return ["month"] if date.month == "XX" and not date.day else []


def _of(month: str, year: str) -> str:
    """Put a month before a year that may be one of many."""
    if year.startswith("the "):
        return f"{month} in {year}"
    is_vague = month.startswith("an ") or year.startswith(("an ", "some "))
    return f"{month} of {year}" if is_vague else f"{month} {year}"


def _year_name(year: Year) -> str:
    length = year_length(year)
    if length > _MOST_NAMED_DIGITS:
        era = " BC" if year.negative else ""
        digits = f"{length:,}" if length < 10**_MOST_NAMED_DIGITS else "countless"
        return f"a year{era} of {digits} digits beginning with {year.digits[:_SHOWN_DIGITS]}"
    low, high = year_range(year)
    if low == high:
        return _number_name(low)
    if year.significant:
        estimate, _ = year_range(year._replace(significant=""))
        return f"some year from {_number_name(low)} to {_number_name(high)} (estimated {_number_name(estimate)})"
    known = year.digits.rstrip("X")
    if not known:
        return "an unknown year"
    if len(known) == len("201") and "X" not in known and low >= _FIRST_BARE_YEAR:
        return f"the {low}s"
    pattern = f" ({year.digits.replace('X', '_')})" if "X" in known else ""
    return f"some year from {_number_name(low)} to {_number_name(high)}{pattern}"


def _number_name(year: int) -> str:
    """Name an astronomical year: 0 is 1 BC."""
    if year <= 0:
        number = 1 - year
        return f"{number} BC" if number <= _LAST_BARE_YEAR else f"{number:,} BC"
    if year < _FIRST_BARE_YEAR:
        return f"AD {year}"
    return str(year) if year <= _LAST_BARE_YEAR else f"the year {year:,}"


def _month_name(month: str) -> str:
    if month == "XX":
        return "an unknown month"
    return _choice("month", [_MONTH_NAMES[number - 1] for number in _numbers(MONTHS[month])])


def _day_name(date: Date) -> str:
    low, high = year_range(date.year)
    year = low if low == high else _SOME_LEAP_YEAR
    last = max(month_length(year, month) for month in _numbers(MONTHS[date.month]))
    return _choice("day", [str(number) for number in _numbers(DAYS[date.day]) if number <= last])


def _numbers(runs: tuple[tuple[int, int], ...]) -> list[int]:
    return [number for first, last in runs for number in range(first, last + 1)]


def _choice(unit: str, names: list[str]) -> str:
    """Name one of several: all of a few, else the first and the last of them."""
    if len(names) > _MOST_LISTED:
        return f"some {unit} from {names[0]} to {names[-1]}"
    return listed(names, "or")


def listed(items: list[str], conjunction: str) -> str:
    """Put items in a row as English does: `a`, `a or b`, `a, b or c`."""
    *others, last = items
    return f"{', '.join(others)} {conjunction} {last}" if others else last
