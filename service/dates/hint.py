"""What a text that is no EDTF was probably meant to be: the usual ways to write a date, put into EDTF.

A hint is given only where what it comes to is an expression; nothing is ever guessed in its place.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from service.dates.error import EdtfError
from service.dates.instants import DAY, civil_day, day_start, month_length
from service.dates.reader import Reader

# Whoever writes more has made it with a program, and reads the position rather than a hint.
_MOST_CHARACTERS: Final = 60
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SEASONS: Final = ("spring", "summer", "autumn", "winter")
_DECEMBER: Final = 12
_BEFORE_THE_FIRST_QUARTER: Final = 32

_YEAR: Final = r"(?P<year>\d{4})"
_ORDINAL: Final = r"(?:st|nd|rd|th)?"
_MONTH_NAME: Final = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])\.?"
)
_NO_DIGIT_BEFORE: Final = r"(?<![0-9-])"
_NO_DIGIT_BEHIND: Final = r"(?!\d)"
_AMBIGUOUS: Final = re.compile(r"(\d{1,2})([/. -])(\d{1,2})\2(\d{4})", re.ASCII)
_DAY: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-(\d\d)", re.ASCII)
_BETWEEN_DATES: Final = re.compile(r"[][/,{}T~?%]|\.\.")
_RELATIVE: Final = re.compile(r"(?:today|now|yesterday|tomorrow|(?:last|next|this) \w+)", re.IGNORECASE)
_NOTHING: Final = re.compile(
    r"(?:unknown|undated|n\.? ?d\.?|none|null|tb[ad]|\?|unknown/(?:unknown|\.\.)?|\.\./unknown)", re.IGNORECASE
)


class _Repair(NamedTuple):
    """A way to write a date that is not EDTF's, what becomes of it, and why."""

    found: re.Pattern[str]
    becomes: str | Callable[[re.Match[str]], str]
    because: str


def _repair(found: str, becomes: str | Callable[[re.Match[str]], str], because: str) -> _Repair:
    return _Repair(re.compile(found, re.IGNORECASE | re.ASCII), becomes, because)


def _date(match: re.Match[str]) -> str:
    """Write a date of the groups `year`, `month` (a number or a name), and `day` if there is one."""
    parts = match.groupdict("")
    name = parts["month"][:3].lower()
    month = _MONTHS.index(name) + 1 if name in _MONTHS else int(name)
    day = f"-{int(parts['day']):02d}" if parts.get("day") else ""
    return f"{parts['year']}-{month:02d}{day}"


def _day_first(match: re.Match[str]) -> str:
    """Write the one date that it can be; what can be two is left as it is."""
    found = _either(match["one"], match["other"], match["year"])
    return found[0] if len(found) == 1 else match[0]


def _either(one: str, other: str, year: str) -> list[str]:
    """Give the dates that two numbers, a day and a month in either order, can be."""
    pairs = dict.fromkeys([(int(other), int(one)), (int(one), int(other))])
    return [
        f"{year}-{month:02d}-{day:02d}"
        for month, day in pairs
        if 1 <= month <= _DECEMBER and 1 <= day <= month_length(int(year), month)
    ]


def _season(match: re.Match[str]) -> str:
    name = match["name"].lower().replace("fall", "autumn")
    return f"{match['year']}-{21 + _SEASONS.index(name)}"


def _quarter(match: re.Match[str]) -> str:
    return f"{match['year']}-{_BEFORE_THE_FIRST_QUARTER + int(match['number'])}"


def _week(match: re.Match[str]) -> str:
    """Write the days of a week: its Monday follows from that of week 1, which has 4 January (ISO 8601-1, 3.1.1.23)."""
    fourth = day_start(int(match["year"]), 1, 4)
    monday = fourth - (fourth // DAY + 3) % 7 * DAY + (int(match["number"]) - 1) * 7 * DAY
    first, last = civil_day(monday), civil_day(monday + 6 * DAY)
    return "[{:04d}-{:02d}-{:02d}..{:04d}-{:02d}-{:02d}]".format(*first, *last)


def _before_christ(match: re.Match[str]) -> str:
    year = int(match["year"]) - 1
    return f"-{year:04d}" if year > 0 else f"{year:04d}"


def _four_digits(match: re.Match[str]) -> str:
    return f"{match['sign']}{match['year']:0>4}"


def _midnight(match: re.Match[str]) -> str:
    year, month, day = map(int, match["day"].split("-"))
    if not (1 <= month <= _DECEMBER and 1 <= day <= month_length(year, month)):
        return match[0]
    return "{:04d}-{:02d}-{:02d}T00:00:00".format(*civil_day(day_start(year, month, day) + DAY))


_IN_NUMBERS: Final = "months are written as numbers"
_WITH_HYPHENS: Final = "year, month and day stand in this order, with hyphens between them"
_FOUR_DIGITS: Final = "a year has four digits"
_OPEN_END: Final = "an end that is still open is two dots"
_SECONDS: Final = "a time has hours, minutes and seconds"

# In this order: what stands for a single date first, then what is said of it.
_REPAIRS: Final = (
    _repair(r"^\s+|\s+$", "", "there are no blanks in it"),
    _repair(rf"(?P<day>\d{{1,2}}){_ORDINAL} (?:of )?{_MONTH_NAME},? {_YEAR}", _date, _IN_NUMBERS),
    _repair(rf"{_MONTH_NAME} (?P<day>\d{{1,2}}){_ORDINAL},? {_YEAR}", _date, _IN_NUMBERS),
    _repair(rf"{_MONTH_NAME},? (?:of )?{_YEAR}", _date, _IN_NUMBERS),
    _repair(rf"{_YEAR}[ -]{_MONTH_NAME}(?:[ -](?P<day>\d{{1,2}}))?{_NO_DIGIT_BEHIND}", _date, _IN_NUMBERS),
    _repair(
        rf"(?P<name>spring|summer|autumn|fall|winter),? (?:of )?{_YEAR}", _season, "seasons are numbers from 21 on"
    ),
    _repair(rf"{_YEAR}[ -]?Q(?P<number>[1-4])", _quarter, "quarters are numbers from 33 on"),
    _repair(rf"Q(?P<number>[1-4])[ /-]?{_YEAR}", _quarter, "quarters are numbers from 33 on"),
    _repair(rf"{_YEAR}-?W(?P<number>0[1-9]|[1-4]\d|5[0-3])(?![\d-])", _week, "a week is written as one of its days"),
    _repair(
        rf"{_NO_DIGIT_BEFORE}(?P<one>\d{{1,2}})([/. -])(?P<other>\d{{1,2}})\2{_YEAR}{_NO_DIGIT_BEHIND}",
        _day_first,
        _WITH_HYPHENS,
    ),
    _repair(
        rf"{_NO_DIGIT_BEFORE}{_YEAR}([/. ])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}}){_NO_DIGIT_BEHIND}",
        _date,
        _WITH_HYPHENS,
    ),
    _repair(
        rf"{_NO_DIGIT_BEFORE}{_YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>[0-3]\d){_NO_DIGIT_BEHIND}", _date, _WITH_HYPHENS
    ),
    _repair(rf"^{_YEAR}[/. ](?P<month>\d{{1,2}})$", _date, _WITH_HYPHENS),
    _repair(r"^(?P<year>[12]\d{3})(?P<month>0[1-9]|1[0-2])$", _date, _WITH_HYPHENS),
    _repair(
        rf"{_NO_DIGIT_BEFORE}{_YEAR}-(?P<month>1[3-9]|2\d|3[01])-(?P<day>0[1-9]|1[0-2]){_NO_DIGIT_BEHIND}",
        r"\g<year>-\g<day>-\g<month>",
        "the month comes before the day",
    ),
    _repair(rf"{_YEAR}-(?P<month>\d{{1,2}})-(?P<day>\d){_NO_DIGIT_BEHIND}", _date, "months and days have two digits"),
    _repair(rf"{_YEAR}-(?P<month>\d)(?:-(?P<day>\d\d))?{_NO_DIGIT_BEHIND}", _date, "months and days have two digits"),
    _repair(r"(\d{4}-\d\d-\d\d)[ t](?=\d\d:\d\d)", r"\1T", "a T stands before a time"),
    _repair(r"(?P<day>\d{4}-\d\d-\d\d)T24:00(?::00)?", _midnight, "the end of a day is the beginning of the next"),
    _repair(r"(T\d\d:\d\d)(?![:\d])", r"\1:00", _SECONDS),
    _repair(r"(T\d\d:\d\d:\d\d)[.,]\d+", r"\1", _SECONDS),
    _repair(r"(T\d\d:\d\d:\d\d) ?z", r"\1Z", "UTC is a capital Z"),
    _repair(r"(T\d\d:\d\d:\d\d) ?([+-]\d\d)(\d\d)", r"\1\2:\3", "a shift from UTC is written with a colon"),
    _repair(r"^y(?=[-\d])", "Y", "a Y is a capital letter"),
    _repair(r"^Y(-?\d{4})$", r"\1", "a year of four digits has no Y"),
    _repair(r"^-0000$", "0000", "the year 0 has no sign"),
    _repair(r"\b(\d{3})0'?s\b", r"\1X", "a decade ends with X"),
    _repair(
        r"\b(\d{1,2})(?:st|nd|rd|th) c(?:entury|\.)?$",
        lambda match: f"{int(match[1]) - 1:02d}XX",
        "a century ends with XX",
    ),
    _repair(
        r"\b(?P<year>\d{1,4}) ?B\.? ?C\.?(?: ?E\.?)?(?!\w)", _before_christ, "1 BC is the year 0, and has no letters"
    ),
    _repair(r"\b(?:A\.?D\.? ?)(?P<sign>)(?P<year>\d{1,4})$", _four_digits, _FOUR_DIGITS),
    _repair(r"\b(?P<sign>)(?P<year>\d{1,4}) ?(?:A\.?D\.?|C\.?E\.?)$", _four_digits, _FOUR_DIGITS),
    _repair(r"^(?P<sign>-?)(?P<year>\d{1,3})$", _four_digits, _FOUR_DIGITS),
    _repair(r"^(-?[1-9]\d{4,})$", r"Y\1", "a year of more than four digits begins with Y"),
    _repair(r"[ux](?=[0-9ux\]}?~%/.,-]|$)", "X", "what is not known is a capital X"),
    _repair(
        r"^(?:c\.?|ca\.?|circa|about|around|approximately|approx\.?|abt\.?) ?(?=[\d-])(.+)$",
        r"\1~",
        "what is approximate ends with ~",
    ),
    _repair(r"^(?:maybe|perhaps|probably|possibly|likely) (.+)$", r"\1?", "what is uncertain ends with ?"),
    _repair(r"^(?:before|by) (.+)$", r"[..\1]", "on or before a date is written in brackets"),
    _repair(r"^after (.+)$", r"[\1..]", "on or after a date is written in brackets"),
    _repair(r"^(?:until|till) (.+)$", r"../\1", _OPEN_END),
    _repair(r"^since (.+)$", r"\1/..", _OPEN_END),
    _repair(
        r"^(?:from |between )?(\S+)(?: ?[\u2013\u2014] ?| - | to | until | and )(\S+)$",
        r"\1/\2",
        "what lasts from one date to another is written with /",
    ),
    _repair(r"^(\S+) or (\S+)$", r"[\1,\2]", "one of several dates is written in brackets"),
    _repair(r"^([^/\[\]{},]+\.\.[^/\[\]{},]+)$", r"[\1]", "one of several dates is written in brackets"),
    _repair(r"(?<=/)(?:open|present|now|today|ongoing)$|^open(?=/)", "..", _OPEN_END),
    _repair(r"(?<=/)unknown$|^unknown(?=/)", "", "an end that is not known is left out"),
    _repair(r"\s+", "", "there are no blanks in it"),
)


def find_hint(text: str) -> str:
    """Say how to write what a text that is no EDTF seems to mean; nothing where that is not evident.

    Every expression in quotation marks is one. No text raises anything.
    """
    if len(text) > _MOST_CHARACTERS:
        return ""
    return _remark(text) or _remark_of_date(text) or _repaired(text) or _remark_of_part(text)


def _remark(text: str) -> str:
    """Say what is wrong with what is no date of any calendar."""
    if not text.strip():
        return "a year alone is written as in '2013'"
    if _NOTHING.fullmatch(text):
        return "of a year that is not known nothing but 'XXXX' can be written"
    if _RELATIVE.fullmatch(text):
        return "a date is the same on every day that it is read, as '2013-02-25' is"
    return ""


def _remark_of_part(text: str) -> str:
    """Say what is wrong with the first date that has no one meaning, among others or with more behind it."""
    return next(filter(None, map(_remark_of_date, _BETWEEN_DATES.split(text))), "")


def _remark_of_date(text: str) -> str:
    """Say what is wrong with a date that has no one meaning."""
    if match := _AMBIGUOUS.fullmatch(text):
        one, _, other, year = match.groups()
        found = _either(one, other, year)
        return f"{_WITH_HYPHENS}: {' or '.join(map(repr, found))}" if found else ""
    if match := _DAY.fullmatch(text):
        last = month_length(int(match[1]), int(match[2]))
        return f"the last day of that month is '{match[1]}-{match[2]}-{last}'" if int(match[3]) > last else ""
    return ""


def _repaired(text: str) -> str:
    meant, reasons = text, list[str]()
    for found, becomes, because in _REPAIRS:
        repaired = found.sub(becomes, meant)
        if repaired != meant:
            meant = repaired
            reasons.append(because)
    try:
        Reader(meant).expression()
    except EdtfError:
        return ""
    return f"{', '.join(dict.fromkeys(reasons))}: {meant!r}"
