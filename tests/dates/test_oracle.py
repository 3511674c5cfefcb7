"""Where `edtf` 5.0.2 is right, we agree: bounds of level 0 and of the simple forms of level 1.

It knows the days, not the instants, of a date's strict limits, and takes a date and time for its day.
"""

import edtf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dates import parse
from service.dates.instants import civil_day

_YEARS = st.integers(1, 9998).map("{:04d}".format)
_DAYS = st.dates().filter(lambda day: day.year < 9999).map(lambda day: day.isoformat())
_DATES = st.one_of(_YEARS, _DAYS, _DAYS.map(lambda text: text[:7]))
_INTERVALS = st.tuples(_DATES, _DATES).map(sorted).map("/".join)
_QUALIFIED = st.tuples(_DATES, st.sampled_from("?~%")).map("".join)
_MASKED = st.one_of(
    _YEARS.map(lambda text: text[:3] + "X"),
    _YEARS.map(lambda text: text[:2] + "XX"),
    _YEARS.map(lambda text: text + "-XX"),
    _YEARS.map(lambda text: text + "-XX-XX"),
    _DAYS.map(lambda text: text[:8] + "XX"),
)
_SEASONS = st.tuples(_YEARS, st.sampled_from(("21", "22", "23"))).map("-".join)
_LONG_YEARS = st.integers(10_000, 294_000).map("Y{}".format)


def _first_and_last_day(text: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    bounds = parse(text).bounds
    return civil_day(bounds.start_earliest), civil_day(bounds.end_latest - 1)


def _by_edtf(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    expression = edtf.parse_edtf(text)
    return tuple(expression.lower_strict())[:3], tuple(expression.upper_strict())[:3]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.one_of(_DATES, _INTERVALS, _QUALIFIED, _MASKED, _SEASONS, _LONG_YEARS))
def test_the_first_and_the_last_day_are_those_of_edtf(text: str) -> None:
    assert _first_and_last_day(text) == _by_edtf(text)


@pytest.mark.parametrize("text", ["1985-04-12T23:20:30Z", "-1985", "-0043-03-15", "0000", "Y12345", "2001-34"])
def test_some_others_are_those_of_edtf_as_well(text: str) -> None:
    assert _first_and_last_day(text) == _by_edtf(text)
