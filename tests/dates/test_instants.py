from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dates import (
    AXIS_END,
    AXIS_START,
    DISTANT_FUTURE,
    DISTANT_PAST,
    format_instant,
    parse_instant,
)
from service.dates.instants import DAY, civil_day, day_start, is_leap, month_length, month_start

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_500_000, "1970-01-01T00:00:01.5Z"),
        (1_361_750_400_000_000, "2013-02-25T00:00:00Z"),
        (day_start(0, 1, 1), "0000-01-01T00:00:00Z"),
        (day_start(-43, 3, 15), "-0043-03-15T00:00:00Z"),
        (day_start(9999, 12, 31), "9999-12-31T00:00:00Z"),
        (day_start(12345, 1, 1), "+12345-01-01T00:00:00Z"),
        (AXIS_START, "-4712-01-01T00:00:00Z"),
        (AXIS_END, "+294276-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_written_as_rfc_3339_and_read_again(instant: int, text: str) -> None:
    assert format_instant(instant) == text
    assert parse_instant(text) == instant


def test_the_infinities_have_no_text() -> None:
    assert format_instant(DISTANT_PAST) is None
    assert format_instant(DISTANT_FUTURE) is None


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(AXIS_START, AXIS_END))
def test_writing_and_reading_are_inverse_on_the_whole_axis(instant: int) -> None:
    text = format_instant(instant)
    assert text is not None
    assert parse_instant(text) == instant
    year, month, day = civil_day(instant)
    assert day_start(year, month, day) == instant - instant % DAY


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_agree_with_the_datetime_library(moment: datetime) -> None:
    instant = (moment - EPOCH) // timedelta(microseconds=1)
    assert day_start(moment.year, moment.month, moment.day) == instant - instant % DAY
    assert parse_instant(moment.isoformat()) == instant
    assert civil_day(instant) == (moment.year, moment.month, moment.day)


@pytest.mark.parametrize("year", [-4712, -401, -400, -4, -1, 0, 4, 1900, 2000, 2023, 294276])
def test_months_and_years_follow_upon_each_other(year: int) -> None:
    for month in range(1, 13):
        assert month_start(year, month + 1) - month_start(year, month) == month_length(year, month) * DAY
    assert day_start(year + 1, 1, 1) - day_start(year, 1, 1) == (366 if is_leap(year) else 365) * DAY
    assert month_start(year, 15) == month_start(year + 1, 3)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2013-02-15T00:00Z", "2013-02-15T00:00:00Z"),
        ("2013-02-15t01:30:00+01:30", "2013-02-15T00:00:00Z"),
        ("2013-02-14T20:00:00.000-04:00", "2013-02-15T00:00:00Z"),
        ("2013-02-15T00:00:00-00:00", "2013-02-15T00:00:00Z"),
        ("0000-01-01T01:00:00+02:00", "-0001-12-31T23:00:00Z"),
    ],
)
def test_any_offset_is_read(text: str, same: str) -> None:
    assert format_instant(parse_instant(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2013-02-15",
        "2013-02-15T00:00:00",
        "2013-02-15 00:00:00Z",
        "2013-02-30T00:00:00Z",
        "2013-13-01T00:00:00Z",
        "2013-02-15T24:00:00Z",
        "2013-02-15T23:60:00Z",
        "2013-02-15T23:59:60Z",
        "2013-02-15T00:00:00.1234567Z",
        "2013-02-15T00:00:00+24:00",
        "-4712-01-01T00:00:00+00:01",
        "+294277-01-01T00:00:00Z",
        "+999999-01-01T00:00:00Z",
        "٢٠١٣-02-15T00:00:00Z",
        "2013-02-15T00:00:00Z\n",
    ],
)
def test_what_is_no_instant_of_the_axis_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected an instant|has no day"):
        parse_instant(text)
