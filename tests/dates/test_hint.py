"""The usual ways to write a date that are not EDTF's, and what is said of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dates import EdtfError, parse, parse_window
from service.dates.hint import find_hint

MEANT = {
    "25/02/2013": "2013-02-25",
    "25.02.2013": "2013-02-25",
    "02/25/2013": "2013-02-25",
    "13-02-2013": "2013-02-13",
    "2013/02": "2013-02",
    "2013/02/25": "2013-02-25",
    "2013.2.5": "2013-02-05",
    "20130225": "2013-02-25",
    "201302": "2013-02",
    "2013-2-5": "2013-02-05",
    "2013-2": "2013-02",
    "2013-02-5": "2013-02-05",
    "2013-25-02": "2013-02-25",
    "[2013-2-5,2013-2-6]": "[2013-02-05,2013-02-06]",
    "2013-2-1/2013-2-5": "2013-02-01/2013-02-05",
    "2013-02-30": "2013-02-28",
    "2012-02-30": "2012-02-29",
    "2004-02-30/2005": "2004-02-29",
    "2004/2005-02-30": "2005-02-28",
    "2004-02-30/Feb 2005": "2004-02-29",
    "[2013-04-30,2013-04-31]": "2013-04-30",
    "2013-02-30..2013-03-01": "2013-02-28",
    "2013-02-30~": "2013-02-28",
    "2013-02-31T24:00:00": "2013-02-28",
    "Feb 2004/2005": "2004-02/2005",
    "Feb 2013": "2013-02",
    "Sept. 2013": "2013-09",
    "february, 2013": "2013-02",
    "25 February 2013": "2013-02-25",
    "25th of February 2013": "2013-02-25",
    "February 5th, 2013": "2013-02-05",
    "2013-Feb-05": "2013-02-05",
    "may 2013": "2013-05",
    "maybe 2013": "2013?",
    "c. 1900": "1900~",
    "ca 1900": "1900~",
    "circa Feb 1900": "1900-02~",
    "about 1990s": "199X~",
    "unknown/1990": "/1990",
    "1990/unknown": "1990/",
    "1990/open": "1990/..",
    "1990/present": "1990/..",
    "unknown/..": "XXXX",
    "unknown": "XXXX",
    "2013-02-25T10:00": "2013-02-25T10:00:00",
    "2013-02-25T10:00+0100": "2013-02-25T10:00:00+01:00",
    "2013-02-25 10:00:00": "2013-02-25T10:00:00",
    "2013-02-25t10:00:00z": "2013-02-25T10:00:00Z",
    "2013-02-25T10:00:00.125Z": "2013-02-25T10:00:00Z",
    "2012-12-31T24:00:00": "2013-01-01T00:00:00",
    "2013-02-24..2013-02-28": "[2013-02-24..2013-02-28]",
    "2013-02-24 to 2013-02-28": "2013-02-24/2013-02-28",
    "between 5 Feb 2013 and 7 Feb 2013": "2013-02-05/2013-02-07",
    "2013\u20132014": "2013/2014",
    "2013 or 2014": "[2013,2014]",
    "before 1900": "[..1900]",
    "after 1900": "[1900..]",
    "since 1900": "1900/..",
    "until 1900": "../1900",
    "1990s": "199X",
    "19th century": "18XX",
    "1st century": "00XX",
    "44 BC": "-0043",
    "1 BCE": "0000",
    "AD 79": "0079",
    "476": "0476",
    "12013": "Y12013",
    "y12013": "Y12013",
    "Y1985": "1985",
    "-0000": "0000",
    "2013-Q1": "2013-33",
    "Q4 2013": "2013-36",
    "spring 2013": "2013-21",
    "Fall 2013": "2013-23",
    "2013-W09": "[2013-02-25..2013-03-03]",
    "2009W01": "[2008-12-29..2009-01-04]",
    "199x": "199X",
    "1984-06-uu": "1984-06-XX",
    " 2013 ": "2013",
    "2013-02, ?": None,
    "2013-02-25T25:00:00": None,
    "2013-13": None,
    "2004/2003": None,
    "31/02/2013": None,
    "../..": None,
    "May": None,
    "the end of February": None,
    "1985-02-3X": None,
    "x" * 1000: None,
}


def error_of(text: str) -> EdtfError:
    with pytest.raises(EdtfError) as raised:
        parse(text)
    return raised.value


def expressions(hint: str) -> list[str]:
    return re.findall("'(.*?)'", hint)


@pytest.mark.parametrize("text", MEANT)
def test_a_usual_mistake_is_answered_with_what_is_meant(text: str) -> None:
    error = error_of(text)
    meant = MEANT[text]
    assert expressions(error.hint) == ([] if meant is None else [meant])
    assert error.expected in str(error)
    assert str(error).endswith(error.hint)


def test_two_readings_are_both_told() -> None:
    for text in ("03/02/2013", "03.02.2013/25.02.2013", "2013-02-25/03.02.2013"):
        assert expressions(error_of(text).hint) == ["2013-02-03", "2013-03-02"]


def test_a_hint_says_why() -> None:
    assert str(error_of("c. Feb 1900")) == (
        "'c. Feb 1900' is no date: at position 0 expected a year of four digits, X for an unspecified one, found 'c'; "
        "months are written as numbers, what is approximate ends with ~: '1900-02~'"
    )


def test_a_window_is_hinted_at_too() -> None:
    with pytest.raises(EdtfError) as raised:
        parse_window("25/02/2013")
    assert expressions(raised.value.hint) == ["2013-02-25"]


WORDS = [
    *("Feb", "february", "may", "25", "5", "2", "2013", "13", "1990s", "44", "BC", "AD", "th", "of", "c.", "circa"),
    *("maybe", "before", "after", "to", "or", "and", "unknown", "open", "..", "/", "-", ".", "[", "]", "{", "}", ","),
    *("T24:00", "T10:00", "Z", "W53", "W9", "Q4", "spring", "u", "X", "x", "y", "Y", "S3", "E9", "~", "?", "%", ":"),
    *("\x00", "\n", "\u0663", "\u2013", "century", "00", "0000", "9999", "31"),
]


@given(st.lists(st.sampled_from(WORDS) | st.characters(), max_size=12), st.sampled_from(["", " ", "-"]))
def test_no_text_raises_and_every_hint_can_be_followed(parts: list[str], between: str) -> None:
    hint = find_hint(between.join(parts))
    for expression in expressions(hint):
        parse(expression)
