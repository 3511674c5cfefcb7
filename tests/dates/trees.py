"""Expressions of all levels for property tests, the impossible ones among them, as trees of what is written."""

from typing import Final

from hypothesis import strategies as st

from service.dates.tree import Date, DateSet, Edge, Interval, Moment, Range, Tree, Year

_YEARS: Final = (
    *("2000", "2001", "2003", "2004", "1900", "1999", "0000", "0001", "0004", "9999", "200X", "20XX", "1XXX"),
    *("XXXX", "199X", "19X0", "2X04", "XX00", "X999", "000X", "0X00", "00X0"),
)
_MONTHS: Final = ("01", "02", "02", "03", "04", "06", "11", "12", "0X", "1X", "X0", "X1", "X2", "XX", "XX")
_SEASONS: Final = tuple(str(number) for number in range(21, 42))
_DAYS: Final = (
    *("01", "02", "15", "25", "28", "29", "30", "31"),
    *("0X", "1X", "2X", "2X", "3X", "X0", "X1", "X5", "X9", "XX", "XX"),
)


def _numerals(least: int, most: int) -> st.SearchStrategy[str]:
    return st.integers(10**least, 10**most - 1).map(str)


@st.composite
def years(draw: st.DrawFn, *, far: bool) -> Year:
    """Years with and without masks, signs, significant digits; with `far`, also those beyond any axis."""
    digits = draw(st.sampled_from(_YEARS) | st.integers(0, 9999).map("{:04d}".format))
    negative = draw(st.integers(0, 5)) == 0 and digits != "0000"
    kind = draw(st.integers(0, 9))
    if kind == 0 and "X" not in digits:
        return Year(digits, negative, "", str(draw(st.integers(1, 4))))
    if kind == 1:
        if far:
            return Year(draw(_numerals(4, 190)), negative)
        return Year(str(draw(st.integers(10_000, 294_000))) if not negative else "0044", negative)
    if kind == 2 and far:
        return Year(draw(_numerals(0, 9)), negative, str(draw(st.integers(4, 10**12))), draw(st.sampled_from("12345")))
    return Year(digits, negative)


@st.composite
def dates(draw: st.DrawFn, *, far: bool = False) -> Date:
    """Dates of all precisions, unspecified digits anywhere, qualifiers on any part."""
    year = draw(years(far=far))
    month = day = ""
    if year.has_four_digits and not year.significant:
        kind = draw(st.integers(0, 9))
        if kind == 0:
            month = draw(st.sampled_from(_SEASONS))
        elif kind > 1:
            month = draw(st.sampled_from(_MONTHS))
            day = draw(st.sampled_from(_DAYS)) if kind > 4 else ""
    count = 1 + bool(month) + bool(day)
    flags = tuple(draw(st.sampled_from((0, 0, 0, 1, 2, 3))) for _ in range(count))
    return Date(year, month, day, flags if any(flags) else ())


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    """Seconds of days that exist."""
    year = Year(draw(st.sampled_from(("2000", "2004", "0000", "9999"))), negative=False)
    day = Date(year, draw(st.sampled_from(("01", "02", "12"))), draw(st.sampled_from(("01", "28", "29"))))
    clock = draw(st.sampled_from(("00:00:00", "23:59:59", "12:30:01")))
    return Moment(day, clock, draw(st.sampled_from(("", "Z", "-04", "+04:30", "+23:59", "-00:01"))))


def points(*, far: bool = False) -> st.SearchStrategy[Date | Moment]:
    """Dates and now and then moments."""
    return st.one_of(dates(far=far), dates(far=far), dates(far=far), moments())


@st.composite
def intervals(draw: st.DrawFn, *, far: bool = False) -> Interval:
    """Intervals with open, unknown and known ends, not both of the former, in either order."""
    start, end = draw(points(far=far)), draw(points(far=far))
    edge = draw(st.sampled_from(Edge))
    return draw(
        st.sampled_from((Interval(start, end), Interval(start, end), Interval(start, edge), Interval(edge, end)))
    )


@st.composite
def sets(draw: st.DrawFn, *, far: bool = False) -> DateSet:
    """Sets of one or all, with ranges, the first without beginning, the last without end."""
    count = draw(st.integers(1, 4))
    members: list[Date | Moment | Range] = []
    for number in range(count):
        point, kind = draw(points(far=far)), draw(st.integers(0, 5))
        if kind == 0:
            members.append(Range(point, draw(points(far=far))))
        elif kind == 1 and number == 0:
            members.append(Range(None, point))
        elif kind == 1 and number == count - 1:
            members.append(Range(point, None))
        else:
            members.append(point)
    return DateSet(tuple(members), draw(st.booleans()))


def trees(*, far: bool = False) -> st.SearchStrategy[Tree]:
    """Whole expressions."""
    return st.one_of(points(far=far), intervals(far=far), sets(far=far))
