"""EDTF text to expression: ISO 8601-2:2019, Annex A, levels 0, 1 and 2."""

import re
from typing import Final

from service.dates.bounds import sometime_in
from service.dates.expression import Expression, expression_of
from service.dates.instants import DAY, day_start, month_length
from service.dates.reader import Reader
from service.dates.spans import Span
from service.dates.tree import Date, Year

_PLAIN_DAY: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


def parse(text: str) -> Expression:
    """Read an EDTF expression of any level.

    Beyond Annex A, a time of day may stand in intervals and sets as well: `2013-02-25T10:00:00Z/2013-02-25`.

    Raises:
        EdtfError: The text is none, names a day that does not exist, or an end that must lie before its
        start.
    """
    # Nearly all dates are plain days: these are read at one glance, to the same result.
    if plain := _PLAIN_DAY.fullmatch(text):
        year, month, day = plain.groups()
        number, last = int(day), month_length(int(year), int(month))
        if number <= last:
            start = day_start(int(year), int(month), number)
            return Expression(text, sometime_in(Span(start, start + DAY)), Date(Year(year), month, day))
    return expression_of(Reader(text).expression())
