import pytest

from service.dates import AXIS_END, AXIS_START, DISTANT_FUTURE, DISTANT_PAST, Bounds, format_instant, parse
from service.dates.instants import DAY, day_start


def written(text: str) -> list[str | None]:
    return [format_instant(instant) for instant in parse(text).bounds]


def spanning(first: tuple[int, int, int], after: tuple[int, int, int]) -> Bounds:
    """Bounds of what happens sometime from one day to before another."""
    start, end = day_start(*first), day_start(*after)
    return Bounds(start, end - 1, start + 1, end)


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        (
            "2013-02-25",
            [
                "2013-02-25T00:00:00Z",
                "2013-02-25T23:59:59.999999Z",
                "2013-02-25T00:00:00.000001Z",
                "2013-02-26T00:00:00Z",
            ],
        ),
        (
            "2013-03",
            [
                "2013-03-01T00:00:00Z",
                "2013-03-31T23:59:59.999999Z",
                "2013-03-01T00:00:00.000001Z",
                "2013-04-01T00:00:00Z",
            ],
        ),
        (
            "[2013-02-24..2013-02-28]",
            [
                "2013-02-24T00:00:00Z",
                "2013-02-28T23:59:59.999999Z",
                "2013-02-24T00:00:00.000001Z",
                "2013-03-01T00:00:00Z",
            ],
        ),
        (
            "2013-02-24/2013-02-28",
            [
                "2013-02-24T00:00:00Z",
                "2013-02-24T23:59:59.999999Z",
                "2013-02-28T00:00:00.000001Z",
                "2013-03-01T00:00:00Z",
            ],
        ),
        ("2012-09/..", ["2012-09-01T00:00:00Z", "2012-09-30T23:59:59.999999Z", None, None]),
        ("2012-09/", ["2012-09-01T00:00:00Z", "2012-09-30T23:59:59.999999Z", "2012-09-01T00:00:00.000001Z", None]),
        ("[..2013-02-20]", [None, "2013-02-20T23:59:59.999999Z", None, "2013-02-21T00:00:00Z"]),
        (
            "{2013-02-21,2013-02-28}",
            [
                "2013-02-21T00:00:00Z",
                "2013-02-21T23:59:59.999999Z",
                "2013-02-28T00:00:00.000001Z",
                "2013-03-01T00:00:00Z",
            ],
        ),
        (
            "1985-04-12T23:20:30+04:30",
            [
                "1985-04-12T18:50:30Z",
                "1985-04-12T18:50:30.999999Z",
                "1985-04-12T18:50:30.000001Z",
                "1985-04-12T18:50:31Z",
            ],
        ),
    ],
)
def test_the_table_of_what_dates_mean(text: str, bounds: list[str | None]) -> None:
    assert written(text) == bounds


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("../1985", (DISTANT_PAST, DISTANT_PAST, day_start(1985, 1, 1) + 1, day_start(1986, 1, 1))),
        ("/1985", (DISTANT_PAST, day_start(1986, 1, 1) - 1, day_start(1985, 1, 1) + 1, day_start(1986, 1, 1))),
        ("1985/..", (day_start(1985, 1, 1), day_start(1986, 1, 1) - 1, DISTANT_FUTURE, DISTANT_FUTURE)),
        ("1985/", (day_start(1985, 1, 1), day_start(1986, 1, 1) - 1, day_start(1985, 1, 1) + 1, DISTANT_FUTURE)),
        ("[1985..]", (day_start(1985, 1, 1), DISTANT_FUTURE, day_start(1985, 1, 1) + 1, DISTANT_FUTURE)),
        ("{1985..}", (day_start(1985, 1, 1), day_start(1986, 1, 1) - 1, DISTANT_FUTURE, DISTANT_FUTURE)),
        ("{..1985}", (DISTANT_PAST, DISTANT_PAST, day_start(1985, 1, 1) + 1, day_start(1986, 1, 1))),
    ],
)
def test_open_ends_are_certain_and_unknown_ones_are_not(text: str, bounds: tuple[int, ...]) -> None:
    assert parse(text).bounds == bounds


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2013-02-2X", (2013, 2, 20), (2013, 3, 1)),
        ("2012-02-2X", (2012, 2, 20), (2012, 3, 1)),
        ("2012-12-3X", (2012, 12, 30), (2013, 1, 1)),
        ("1984-1X", (1984, 10, 1), (1985, 1, 1)),
        ("1984-0X", (1984, 1, 1), (1984, 10, 1)),
        ("1560-X2", (1560, 2, 1), (1561, 1, 1)),
        ("156X-12-25", (1560, 12, 25), (1569, 12, 26)),
        ("XXXX-12-XX", (0, 12, 1), (10000, 1, 1)),
        ("XXXX-02-29", (0, 2, 29), (9996, 3, 1)),
        ("190X-02-29", (1904, 2, 29), (1908, 3, 1)),
        ("19XX-X2-3X", (1900, 12, 30), (2000, 1, 1)),
        ("2001-X2-30", (2001, 12, 30), (2001, 12, 31)),
        ("2001-XX-31", (2001, 1, 31), (2002, 1, 1)),
        ("2001-XX-30", (2001, 1, 30), (2001, 12, 31)),
        ("-000X", (-9, 1, 1), (0, 1, 1)),
        ("-00X0", (-90, 1, 1), (-9, 1, 1)),
        ("-0X00-21", (-900, 3, 1), (-100, 6, 1)),
        ("-00XX-02-29", (-96, 2, 29), (-4, 3, 1)),
        ("-0043-03-15", (-43, 3, 15), (-43, 3, 16)),
        ("0000", (0, 1, 1), (1, 1, 1)),
        ("1950S2", (1900, 1, 1), (2000, 1, 1)),
        ("-1950S2", (-1999, 1, 1), (-1899, 1, 1)),
        ("0050S2", (0, 1, 1), (100, 1, 1)),
        ("1950S4", (1950, 1, 1), (1951, 1, 1)),
        ("Y12345", (12345, 1, 1), (12346, 1, 1)),
        ("Y123E3S2", (120_000, 1, 1), (130_000, 1, 1)),
        ("2001-21", (2001, 3, 1), (2001, 6, 1)),
        ("2001-22", (2001, 6, 1), (2001, 9, 1)),
        ("2001-23", (2001, 9, 1), (2001, 12, 1)),
        ("2003-24", (2003, 12, 1), (2004, 3, 1)),
        ("2001-25", (2001, 3, 1), (2001, 6, 1)),
        ("2001-26", (2001, 6, 1), (2001, 9, 1)),
        ("2001-27", (2001, 9, 1), (2001, 12, 1)),
        ("2001-28", (2001, 12, 1), (2002, 3, 1)),
        ("2001-29", (2001, 9, 1), (2001, 12, 1)),
        ("2001-30", (2001, 12, 1), (2002, 3, 1)),
        ("2001-31", (2001, 3, 1), (2001, 6, 1)),
        ("2001-32", (2001, 6, 1), (2001, 9, 1)),
        ("2001-33", (2001, 1, 1), (2001, 4, 1)),
        ("2001-34", (2001, 4, 1), (2001, 7, 1)),
        ("2001-35", (2001, 7, 1), (2001, 10, 1)),
        ("2001-36", (2001, 10, 1), (2002, 1, 1)),
        ("2001-37", (2001, 1, 1), (2001, 5, 1)),
        ("2001-38", (2001, 5, 1), (2001, 9, 1)),
        ("2001-39", (2001, 9, 1), (2002, 1, 1)),
        ("2001-40", (2001, 1, 1), (2001, 7, 1)),
        ("2001-41", (2001, 7, 1), (2002, 1, 1)),
        ("201X-24", (2010, 12, 1), (2020, 3, 1)),
        ("[1667,1668,1670..1672]", (1667, 1, 1), (1673, 1, 1)),
    ],
)
def test_the_hull_of_one_of_many(text: str, first: tuple[int, int, int], after: tuple[int, int, int]) -> None:
    assert parse(text).bounds == spanning(first, after)


def test_an_interval_is_tightened_so_that_some_start_lies_before_some_end() -> None:
    june, mid_june, july = day_start(2004, 6, 1), day_start(2004, 6, 15), day_start(2004, 7, 1)
    assert parse("2004-06/2004-06-15").bounds == (june, mid_june + DAY - 1, mid_june + 1, mid_june + DAY)
    assert parse("2004-06-15/2004-06").bounds == (mid_june, mid_june + DAY - 1, mid_june + 1, july)
    assert parse("2004-06/2004").bounds == (june, july - 1, june + 1, day_start(2005, 1, 1))
    assert parse("2004/2004").bounds == spanning((2004, 1, 1), (2005, 1, 1))


def test_tightening_regards_the_gaps() -> None:
    # December does not lie before September, so that it began in February.
    assert parse("1560-X2/1560-0X").bounds.start_latest == day_start(1560, 3, 1) - 1
    # However many years there are, none is looked at in vain.
    assert parse("XXXX-X2-2X/2004-0X").bounds.start_latest == day_start(2004, 3, 1) - 1
    assert parse("2003-03/XXXX-X2-30").bounds.end_earliest == day_start(2003, 12, 30) + 1
    assert parse("-00X0-12/-0050").bounds.start_latest == day_start(-49, 1, 1) - 1
    # And what began in March did not end in the February of that year.
    assert parse("1560-03/1560-X2").bounds.end_earliest == day_start(1560, 12, 1) + 1


def test_a_set_of_all_members_runs_from_the_first_to_the_last_as_they_fall() -> None:
    march, april = day_start(1960, 3, 1), day_start(1960, 4, 1)
    assert parse("{1960,1960-03}").bounds == (day_start(1960, 1, 1), april - 1, march + 1, day_start(1961, 1, 1))


@pytest.mark.parametrize("text", ["Y-170000002", "Y-17E7", "-4713", "Y-99999", "Y-1E999999999", "Y-" + "9" * 190])
def test_what_lies_before_the_axis_keeps_its_first_microsecond(text: str) -> None:
    assert parse(text).bounds == (DISTANT_PAST, AXIS_START, DISTANT_PAST, AXIS_START + 1)


@pytest.mark.parametrize(
    "text",
    [
        "Y170000002",
        "Y294277",
        "Y17E7",
        "Y1E999999999",
        "Y" + "9" * 190,
        "Y1E" + "9" * 190,
        "Y3388E2S3",
        "Y9" + "0" * 150 + "S9",
    ],
)
def test_what_lies_after_the_axis_keeps_its_last_microsecond(text: str) -> None:
    assert parse(text).bounds == (AXIS_END, DISTANT_FUTURE, DISTANT_FUTURE, DISTANT_FUTURE)


def test_what_reaches_over_an_end_of_the_axis_reaches_to_infinity() -> None:
    assert parse("Y250000S1").bounds == (
        day_start(200_000, 1, 1),
        DISTANT_FUTURE,
        day_start(200_000, 1, 1) + 1,
        DISTANT_FUTURE,
    )
    assert parse("Y294276").bounds == (
        day_start(294_276, 1, 1),
        AXIS_END,
        day_start(294_276, 1, 1) + 1,
        DISTANT_FUTURE,
    )
    assert parse("-4712").bounds == spanning((-4712, 1, 1), (-4711, 1, 1))
    assert parse("-471X").bounds[0] == DISTANT_PAST
    assert parse("-471X").bounds[3] == day_start(-4709, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "Y-17E7/Y-16E7",
        "Y16E7/Y17E7",
        "Y-17E7/Y17E7",
        "Y-17E7/2000",
        "2000/Y17E7",
        "[Y-17E7,2000,Y17E7]",
        "{Y-17E7,Y17E7}",
        "Y-17E7/",
        "/Y-17E7",
        "../Y17E7",
        "Y17E7/..",
        "Y17E7/",
        "/Y17E7",
        "-4712-01-01T00:00:00+10",
        "Y1E99/Y1E98",
    ],
)
def test_bounds_are_in_order_wherever_they_lie(text: str) -> None:
    start_earliest, start_latest, end_earliest, end_latest = parse(text).bounds
    assert start_earliest <= start_latest <= end_latest
    assert start_earliest <= end_earliest <= end_latest
    assert start_earliest < end_latest
    for instant in parse(text).bounds:
        assert instant in (DISTANT_PAST, DISTANT_FUTURE) or AXIS_START <= instant <= AXIS_END
