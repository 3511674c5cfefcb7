import random
from itertools import pairwise

import pytest

from service.dates import AXIS_START, DISTANT_FUTURE, DISTANT_PAST, parse
from service.dates.instants import DAY, day_start
from service.dates.pieces import MOST_PIECES, joined

Days = tuple[tuple[int, int, int], tuple[int, int, int]]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1560-X2", [((1560, 2, 1), (1560, 3, 1)), ((1560, 12, 1), (1561, 1, 1))]),
        ("{2013-02-21,2013-02-28}", [((2013, 2, 21), (2013, 2, 22)), ((2013, 2, 28), (2013, 3, 1))]),
        ("[2013-02-28,2013-02-21]", [((2013, 2, 21), (2013, 2, 22)), ((2013, 2, 28), (2013, 3, 1))]),
        ("[1667,1668,1670..1672]", [((1667, 1, 1), (1669, 1, 1)), ((1670, 1, 1), (1673, 1, 1))]),
        ("{1960,1961-12}", [((1960, 1, 1), (1961, 1, 1)), ((1961, 12, 1), (1962, 1, 1))]),
        ("2013-02-X5", [((2013, 2, day), (2013, 2, day + 1)) for day in (5, 15, 25)]),
        ("201X-02-29", [((year, 2, 29), (year, 3, 1)) for year in (2012, 2016)]),
        ("156X-12-25", [((year, 12, 25), (year, 12, 26)) for year in range(1560, 1570)]),
        ("-000X-12", [((year, 12, 1), (year + 1, 1, 1)) for year in range(-9, 0)]),
        ("-00X0", [((year, 1, 1), (year + 1, 1, 1)) for year in range(-90, 0, 10)]),
        ("1X80", [((year, 1, 1), (year + 1, 1, 1)) for year in range(1080, 2000, 100)]),
        ("1X8X", [((year, 1, 1), (year + 10, 1, 1)) for year in range(1080, 2000, 100)]),
        ("198X-24", [((year, 12, 1), (year + 1, 3, 1)) for year in range(1980, 1990)]),
        (
            "2001-XX-31",
            [((2001, month, 31), (2001 + month // 12, month % 12 + 1, 1)) for month in (1, 3, 5, 7, 8, 10, 12)],
        ),
    ],
)
def test_what_has_gaps_has_pieces(text: str, days: list[Days]) -> None:
    assert parse(text).pieces == tuple((day_start(*first), day_start(*after)) for first, after in days)


@pytest.mark.parametrize(
    "text",
    [
        "2013",
        "2013-02-25",
        "1985-04-12T23:20:30",
        "201X",
        "XXXX",
        "2004-XX",
        "1985-XX-XX",
        "2013-02-2X",
        "1984-1X",
        "1XXX-XX",
        "1950S2",
        "2013-02-21/2013-02-28",
        "1560-X2/1570",
        "[..1984]",
        "{..1984}",
        "{2013-02-24..2013-02-28}",
        "{2013-02-24,2013-02-25,2013-02-26}",
        "[2013-12,2014-01]",
        "[1984]",
        "[1667..1670,1669..1672]",
        "Y-17E7",
    ],
)
def test_what_has_no_gap_has_no_pieces(text: str) -> None:
    assert parse(text).pieces is None


def test_a_member_that_is_one_of_many_is_one_piece_of_a_set_of_all() -> None:
    first, last = (day_start(1560, 12, 25), day_start(1569, 12, 26)), (day_start(1580, 1, 1), day_start(1581, 1, 1))
    assert parse("{156X-12-25,1580}").pieces == (first, last)
    # Two unknown years are no extent, though the decades touch.
    assert parse("{201X,202X}").pieces == ((day_start(2010, 1, 1), day_start(2030, 1, 1)),)
    assert parse("[201X,202X]").pieces is None


def test_open_and_far_members_reach_to_the_ends() -> None:
    assert parse("{..1984,1990..}").pieces == (
        (DISTANT_PAST, day_start(1985, 1, 1)),
        (day_start(1990, 1, 1), DISTANT_FUTURE),
    )
    pieces = parse("[Y-17E7,Y-16E7,2000]").pieces
    assert pieces == ((DISTANT_PAST, AXIS_START + 1), (day_start(2000, 1, 1), day_start(2001, 1, 1)))


@pytest.mark.parametrize(
    "text", ["XXXX-12-25", "15XX-12-25", "XXXX-X2-X1", "X9X9-X1-X1", "-XXXX-02-29", "[XXXX-X2,201X-XX-X5,1X5X]"]
)
def test_many_pieces_are_joined_into_64_at_most_that_cover_the_same(text: str) -> None:
    expression = parse(text)
    assert expression.pieces is not None
    assert 2 <= len(expression.pieces) <= MOST_PIECES
    assert expression.pieces[0][0] == expression.bounds.start_earliest
    assert expression.pieces[-1][1] == expression.bounds.end_latest


def test_a_century_of_christmases_joins_the_nearest_first() -> None:
    # Before a Christmas of a leap year, of which there are 24, the gap is a day longer.
    pieces = parse("15XX-12-25").pieces
    assert pieces is not None
    assert len(pieces) == 64
    gaps = [after[0] - before[1] for before, after in pairwise(pieces)]
    assert gaps.count(365 * DAY) == 24
    assert gaps.count(364 * DAY) == 39


def test_the_nearest_join_first_and_of_equals_the_earlier() -> None:
    shuffled = random.Random(7)  # noqa: S311 - any order will do
    apart = [(1000 * number, 1000 * number + 10) for number in range(70)]
    near = [(1000 * number + 500, 1000 * number + 520) for number in (10, 20)]
    pieces = [*apart, *near]
    shuffled.shuffle(pieces)
    result = joined(pieces)
    assert len(result) == MOST_PIECES
    # The four gaps of 480 and 490 about the two go first, then the four earliest of 990.
    assert result[0] == (0, 4010)
    assert (10_000, 10_520) not in result
    assert result[1:6] == tuple(apart[5:10])
    assert result[6] == (10_000, 11_010)


def test_what_is_read_more_coarsely_may_lose_its_gaps_but_no_day() -> None:
    # The first day of a year is 1 January and the last 31 December, so that years touch.
    assert parse("XXXX-XX-X1").pieces is None


def test_touching_and_nested_pieces_are_one() -> None:
    assert joined([(5, 7), (0, 3), (3, 4), (6, 9), (20, 30), (22, 25)]) == ((0, 4), (5, 9), (20, 30))
