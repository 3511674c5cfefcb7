"""Reads the parts of an EDTF expression one after another, and says where and why it cannot go on."""

import re
from typing import Final, NoReturn

from service.dates.error import EdtfError
from service.dates.instants import month_length
from service.dates.spans import DAYS, MONTHS, SEASONS, hull, small_number, year_length
from service.dates.tree import MARKS, Date, DateSet, Edge, Interval, Member, Moment, Point, Range, Tree, Year

_KNOWN: Final = re.compile("[0-9]+")
_MARK: Final = re.compile("[?~%]")
_USUAL_DATE: Final = re.compile(
    r"([?~%]?)(-(?!0000))?([0-9X]{4})([?~%]?)"
    r"(?:-([?~%]?)([0-9X]{2})([?~%]?)(?:-([?~%]?)([0-9X]{2})([?~%]?))?)?"
    r"(?=[/.,\]}T]|\Z)"
)
_SHORTEST_MONTH: Final = 28
_DAYS_OF_EVERY_MONTH: Final = frozenset(mask for mask, days in DAYS.items() if days[0][0] <= _SHORTEST_MONTH)
_ANY: Final = re.compile("[0-9X]+")


class Reader:
    """A place in a text, from which one part after another is read.

    Each method reads what it is named after and moves on behind it, or raises EdtfError.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def expression(self) -> Tree:
        """Read a whole text."""
        if self._text.startswith(("[", "{")):
            tree: Tree = self._set()
        else:
            tree = self._point_or_interval()
        if self._position < len(self._text):
            self._fail("the end")
        return tree

    def _point_or_interval(self) -> Tree:
        start = self._edge() if self._text.startswith(("/", "..")) else self._point()
        if not self._take("/"):
            if isinstance(start, Edge):
                self._fail("'/' and a date")
            return start
        end_position = self._position
        rest = self._text[end_position:]
        if isinstance(start, Edge) or rest not in ("", ".."):
            end: Point | Edge = self._point()
        else:
            end = self._edge()
        self._check_order(start, end, end_position)
        return Interval(start, end)

    def _edge(self) -> Edge:
        return Edge.OPEN if self._take("..") else Edge.UNKNOWN

    def _set(self) -> DateSet:
        every = self._take("{")
        closing = "}" if every or not self._take("[") else "]"
        members = [self._member(may_open=True, closing=closing)]
        while self._take(","):
            members.append(self._member(may_open=False, closing=closing))
        if not self._take(closing):
            self._fail(f"',' or '{closing}'")
        return DateSet(tuple(members), every)

    def _member(self, *, may_open: bool, closing: str) -> Member:
        """Read a member of a set: only the first may have no beginning, only the last no end."""
        if may_open and self._take(".."):
            return Range(None, self._point())
        first = self._point()
        if not self._take(".."):
            return first
        if self._text.startswith(closing, self._position):
            return Range(first, None)
        last_position = self._position
        last = self._point()
        self._check_order(first, last, last_position)
        return Range(first, last)

    def _check_order(self, start: Point | Edge, end: Point | Edge, position: int) -> None:
        if isinstance(start, Edge) or isinstance(end, Edge):
            return
        first, last = hull(start), hull(end)
        if first and last and last.end <= first.start:
            self._reject(position, "an end that is not before the start")

    def _point(self) -> Point:
        """Read a date, or a day with a time."""
        date = self._usual_date() or self._date()
        if not date.day or date.qualifiers or date.is_one_of_many or not self._take("T"):
            return date
        return self._moment(date)

    def _usual_date(self) -> Date | None:
        """Read a date of a four-digit year at one glance, or nothing where it is not plainly right.

        What `_date` would read part by part, and sooner: nearly all dates are of this form.
        """
        match = _USUAL_DATE.match(self._text, self._position)
        if match is None:
            return None
        year_mark, sign, digits, year_group, month_mark, month, month_group, day_mark, day, day_group = match.groups("")
        if (month and month not in MONTHS) or (day and (day not in _DAYS_OF_EVERY_MONTH or month in SEASONS)):
            return None
        qualifiers: tuple[int, ...] = ()
        if _MARK.search(match[0]):
            parts = 1 + bool(month) + bool(day)
            before = [MARKS.index(mark) for mark in (year_mark, month_mark, day_mark)[:parts]]
            after = [MARKS.index(mark) for mark in (year_group, month_group, day_group)[:parts]]
            qualifiers = _qualifiers(before, after)
        self._position = match.end()
        return Date(Year(digits, sign == "-"), month, day, qualifiers)

    def _date(self) -> Date:
        before, after = [self._mark()], [0]
        year = self._year()
        after[0] = self._mark()
        month = day = ""
        day_position = self._position
        if year.has_four_digits and not year.significant and self._take("-"):
            before.append(self._mark())
            month = self._month()
            after.append(self._mark())
            if month not in SEASONS and self._take("-"):
                before.append(self._mark())
                day_position = self._position
                day = self._day()
                after.append(self._mark())
        date = Date(year, month, day, _qualifiers(before, after))
        if hull(date) is None:
            self._reject(day_position, _days_of(date), day_position + len(day))
        return date

    def _mark(self) -> int:
        """Read a qualifier, if there is one, as its flags."""
        mark = self._text[self._position : self._position + 1]
        if mark not in MARKS[1:]:
            return 0
        self._position += 1
        return MARKS.index(mark)

    def _year(self) -> Year:
        begin = self._position
        year = self._long_year() if self._take("Y") else self._short_year()
        if "X" in year.digits or not self._take("S"):
            return year
        position = self._position
        year = year._replace(significant=self._positive("a number of significant digits, without leading zeros"))
        if small_number(year.significant) > year_length(year):
            digits = self._text[begin : position - 1]
            self._reject(position, f"no more significant digits than {digits} has")
        return year

    def _short_year(self) -> Year:
        begin = self._position
        negative = self._take("-")
        digits = self._digits(_ANY, 4, "a year of four digits, X for an unspecified one")
        if negative and digits == "0000":
            self._reject(begin, "0000 without a sign, or a year from -0001")
        return Year(digits, negative)

    def _long_year(self) -> Year:
        negative = self._take("-")
        begin = self._position
        digits = self._positive("a digit 1 to 9 of a year of more than four digits")
        if not self._take("E"):
            if len(digits) <= len("9999"):
                self._fail("another digit, for a year after Y has more than four")
            return Year(digits, negative)
        year = Year(digits, negative, self._positive("an exponent, without leading zeros"))
        if year_length(year) <= len("9999"):
            self._reject(begin, "a year of more than four digits")
        return year

    def _month(self) -> str:
        begin = self._position
        month = self._digits(_ANY, 2, "a month of two digits, X for an unspecified one")
        if month not in MONTHS:
            self._reject(begin, "a month 01 to 12 or a season 21 to 41")
        return month

    def _day(self) -> str:
        begin = self._position
        day = self._digits(_ANY, 2, "a day of two digits, X for an unspecified one")
        if day not in DAYS:
            self._reject(begin, "a day 01 to 31")
        return day

    def _moment(self, date: Date) -> Moment:
        begin = self._position
        self._number("an hour", 23)
        self._expect(":")
        self._number("a minute", 59)
        self._expect(":")
        self._number("a second", 59)
        return Moment(date, self._text[begin : self._position], self._shift())

    def _shift(self) -> str:
        begin = self._position
        if self._take("Z"):
            return "Z"
        if not (self._take("+") or self._take("-")):
            return ""
        self._number("hours of shift from UTC", 23)
        if self._take(":"):
            self._number("minutes of shift from UTC", 59)
        shift = self._text[begin : self._position]
        if not shift.strip("-0:"):
            self._reject(begin, "Z or a shift other than minus zero")
        return shift

    def _number(self, unit: str, highest: int) -> None:
        begin = self._position
        if int(self._digits(_KNOWN, 2, f"{unit} of two digits")) > highest:
            self._reject(begin, f"{unit} 00 to {highest}")

    def _positive(self, expected: str) -> str:
        """Read digits of which the first is no zero."""
        if self._text.startswith("0", self._position):
            self._fail(expected)
        return self._digits(_KNOWN, None, expected)

    def _digits(self, kind: re.Pattern[str], count: int | None, expected: str) -> str:
        """Read so many digits, or as many as there are, at least one."""
        last = len(self._text) if count is None else self._position + count
        found = kind.match(self._text, self._position, last)
        digits = found[0] if found else ""
        self._position += len(digits)
        if len(digits) < (count or 1):
            self._fail(expected)
        return digits

    def _take(self, part: str) -> bool:
        """Move on behind a part if it comes next."""
        is_next = self._text.startswith(part, self._position)
        if is_next:
            self._position += len(part)
        return is_next

    def _expect(self, part: str) -> None:
        if not self._take(part):
            self._fail(f"'{part}'")

    def _fail(self, expected: str) -> NoReturn:
        """Say that the next character is wrong."""
        raise EdtfError(self._text, self._position, self._text[self._position : self._position + 1], expected)

    def _reject(self, begin: int, expected: str, end: int | None = None) -> NoReturn:
        """Say that what was read, from a position to another or to the present one, is wrong as a whole."""
        raise EdtfError(self._text, begin, self._text[begin : end or self._position], expected)


def _qualifiers(before: list[int], after: list[int]) -> tuple[int, ...]:
    """Work out each part's flags: its own mark stands before it, a group's after the last of its parts."""
    flags, group = [], 0
    for own, behind in zip(reversed(before), reversed(after), strict=True):
        group |= behind
        flags.append(own | group)
    return tuple(reversed(flags)) if any(flags) else ()


def _days_of(date: Date) -> str:
    """Say which days a month has of which none is the day of the date."""
    if date.is_one_of_many:
        return "a day that the month has"
    return f"a day 01 to {month_length(int(str(date.year)), int(date.month))}"
