"""EDTF text to expression: ISO 8601-2:2019, Annex A, levels 0, 1 and 2."""

import re
from typing import Final

from service.dates.bounds import bounds_of, sometime_in
from service.dates.error import EdtfError
from service.dates.expression import Expression
from service.dates.hint import find_hint
from service.dates.reader import Reader
from service.dates.spans import hull
from service.dates.tree import Date, Year

_MARK: Final = re.compile("[?~%]")
_PLAIN: Final = re.compile(r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?")


def parse(text: str) -> Expression:
    """Read an EDTF expression of any level.

    Beyond Annex A, a time of day may stand in intervals and sets as well, for a meeting has one:
    `2013-02-25T10:00:00Z/2013-02-25T11:30:00Z`.

    Raises:
        EdtfError: The text is none, names a day that does not exist, or an end that must lie before its
            start.
    """
    # Nearly all dates are plain: these are read at one glance, to the same result.
    if plain := _PLAIN.fullmatch(text):
        year, month, day = plain.groups("")
        date = Date(Year(year), month, day)
        if span := hull(date):
            return Expression(text, sometime_in(span), date)
    try:
        tree = Reader(text).expression()
    except EdtfError as error:
        raise EdtfError(error.text, error.position, error.found, error.expected, find_hint(text)) from None
    # Only qualifiers can be written in several ways.
    canonical = str(tree) if _MARK.search(text) else text
    return Expression(canonical, bounds_of(tree), tree)
