"""EDTF text to expression: ISO 8601-2:2019, Annex A, levels 0, 1 and 2."""

import re
from typing import Final

from service.dates.bounds import sometime_in
from service.dates.expression import Expression, expression_of
from service.dates.instants import DAY, day_start, month_length, month_start
from service.dates.reader import Reader
from service.dates.spans import Span
from service.dates.tree import Date, Year

_PLAIN: Final = re.compile(r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?")


def parse(text: str) -> Expression:
    """Read an EDTF expression of any level.

    Beyond Annex A, a time of day may stand in intervals and sets as well: `2013-02-25T10:00:00Z/2013-02-25`.

    Raises:
        EdtfError: The text is none, names a day that does not exist, or an end that must lie before its
            start.
    """
    # Nearly all dates are plain: these are read at one glance, to the same result.
    if plain := _PLAIN.fullmatch(text):
        digits, month, day = plain.groups("")
        year = int(digits)
        if not month:
            span = Span(day_start(year, 1, 1), day_start(year + 1, 1, 1))
        elif not day:
            span = Span(month_start(year, int(month)), month_start(year, int(month) + 1))
        else:
            start = day_start(year, int(month), int(day))
            span = Span(start, start + DAY)
        if not day or int(day) <= month_length(year, int(month)):
            return Expression(text, sometime_in(span), Date(Year(digits), month, day))
    return expression_of(Reader(text).expression())
