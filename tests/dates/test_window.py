import pytest

from service.dates import DISTANT_FUTURE, DISTANT_PAST, EdtfError, Window, parse_instant, parse_window


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2013-02", "2013-02-01T00:00Z", "2013-03-01T00:00Z"),
        ("2013-02-20/2013-02-28", "2013-02-20T00:00Z", "2013-03-01T00:00Z"),
        ("../1914-07-28", None, "1914-07-29T00:00Z"),
        ("1914-07-28/..", "1914-07-28T00:00Z", None),
        ("1914/", "1914-01-01T00:00Z", None),
        ("201X", "2010-01-01T00:00Z", "2020-01-01T00:00Z"),
        ("1560-X2", "1560-02-01T00:00Z", "1561-01-01T00:00Z"),
        ("-0043-03-15", "-0043-03-15T00:00Z", "-0043-03-16T00:00Z"),
        ("2013-02-20T10:00:00Z/2013-02-20T12:29:59+00:30", "2013-02-20T10:00Z", "2013-02-20T12:00Z"),
    ],
)
def test_a_window_is_widened_to_whole_units(text: str, start: str | None, end: str | None) -> None:
    assert parse_window(text) == Window(
        DISTANT_PAST if start is None else parse_instant(start),
        DISTANT_FUTURE if end is None else parse_instant(end),
    )


@pytest.mark.parametrize("text", ["/", "../..", "../", "/..", "", "2013-02-30", "2013/2012", "2013-02-01,2013-02-02"])
def test_a_window_of_everything_or_nothing_is_refused(text: str) -> None:
    with pytest.raises(EdtfError):
        parse_window(text)
