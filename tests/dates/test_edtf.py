import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest

from service.dates import EdtfError, parse
from service.dates.bounds import bounds_of
from service.dates.reader import Reader
from tests.dates.examples import ALL_EXAMPLES, EXAMPLES, NO_EDTF


def test_there_are_64_examples() -> None:
    assert len(ALL_EXAMPLES) == 64


@pytest.mark.parametrize(("level", "text"), [(level, text) for level, texts in EXAMPLES.items() for text in texts])
def test_an_example_is_read_at_its_level_and_is_canonical(level: int, text: str) -> None:
    expression = parse(text)
    assert expression.level == level
    assert expression.edtf == str(expression) == text


@pytest.mark.parametrize("text", NO_EDTF)
def test_what_the_specification_calls_wrong_is_rejected(text: str) -> None:
    with pytest.raises(EdtfError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "position", "found", "expected"),
    [
        ("", 0, "", "a year of four digits"),
        (" 1985", 0, " ", "a year of four digits"),
        ("1985 ", 4, " ", "the end"),
        ("1985- 04", 5, " ", "a month of two digits"),
        ("1985/ 1986", 5, " ", "a year of four digits"),
        ("[1985, 1986]", 6, " ", "a year of four digits"),
        ("198", 3, "", "a year of four digits"),
        ("19856", 4, "6", "the end"),
        ("20050924T100000", 4, "0", "the end"),
        ("-Y170000002", 1, "Y", "a year of four digits"),
        ("1985-4", 6, "", "a month of two digits"),
        ("1985-00", 5, "00", "a month 01 to 12 or a season 21 to 41"),
        ("1985-13", 5, "13", "a month 01 to 12 or a season 21 to 41"),
        ("1985-42", 5, "42", "a month 01 to 12 or a season 21 to 41"),
        ("1985-2X", 5, "2X", "a month 01 to 12 or a season 21 to 41"),
        ("1985-04-00", 8, "00", "a day 01 to 31"),
        ("1985-04-32", 8, "32", "a day 01 to 31"),
        ("1985-02-30", 8, "30", "a day 01 to 28"),
        ("2001-02-29", 8, "29", "a day 01 to 28"),
        ("1900-02-29", 8, "29", "a day 01 to 28"),
        ("2004-02-30", 8, "30", "a day 01 to 29"),
        ("1985-04-31", 8, "31", "a day 01 to 30"),
        ("-0001-02-29", 9, "29", "a day 01 to 28"),
        ("1985-02-3X", 8, "3X", "a day that the month has"),
        ("XXX1-02-29", 8, "29", "a day that the month has"),
        ("XX00-02-30", 8, "30", "a day that the month has"),
        ("1X00-X2-29/2000-02-30", 19, "30", "a day 01 to 29"),
        ("2001-21-01", 7, "-", "the end"),
        ("1985-04-12T", 11, "", "an hour of two digits"),
        ("1985-04-12T24:00:00", 11, "24", "an hour 00 to 23"),
        ("1985-04-12T23:60:00", 14, "60", "a minute 00 to 59"),
        ("1985-04-12T23:59:60", 17, "60", "a second 00 to 59"),
        ("1985-04-12T23:20", 16, "", "':'"),
        ("1985-04-12T23:20:30.5", 19, ".", "the end"),
        ("1985-04-12T23:20:30+24", 20, "24", "hours of shift from UTC 00 to 23"),
        ("1985-04-12T23:20:30+01:60", 23, "60", "minutes of shift from UTC 00 to 59"),
        ("1985-04-12T23:20:30-00:00", 19, "-00:00", "Z or a shift other than minus zero"),
        ("1985-04-1XT23:20:30", 10, "T", "the end"),
        ("1985-04-12?T23:20:30", 11, "T", "the end"),
        ("1985-04T23:20:30", 7, "T", "the end"),
        ("-0000", 0, "-0000", "0000 without a sign"),
        ("Y1985", 5, "", "another digit"),
        ("Y-1985", 6, "", "another digit"),
        ("Y01985", 1, "0", "a digit 1 to 9"),
        ("Y1E2", 1, "1E2", "a year of more than four digits"),
        ("Y1E", 3, "", "an exponent"),
        ("Y17E07", 4, "0", "an exponent"),
        ("Y12345-01", 6, "-", "the end"),
        ("Y1234X", 5, "X", "another digit"),
        ("1950S", 5, "", "a number of significant digits"),
        ("1950S0", 5, "0", "a number of significant digits"),
        ("1950S5", 5, "5", "no more significant digits than 1950 has"),
        ("195XS2", 4, "S", "the end"),
        ("1950S2-01", 6, "-", "the end"),
        ("1984??", 5, "?", "the end"),
        ("?", 1, "", "a year of four digits"),
        ("/", 1, "", "a year of four digits"),
        ("..", 2, "", "'/' and a date"),
        ("../..", 3, ".", "a year of four digits"),
        ("../", 3, "", "a year of four digits"),
        ("/..", 1, ".", "a year of four digits"),
        ("..1985", 2, "1", "'/' and a date"),
        ("2004/2003", 5, "2003", "an end that is not before the start"),
        ("2004-03-01/2004-02", 11, "2004-02", "an end that is not before the start"),
        ("Y-16E7/Y-17E7", 7, "Y-17E7", "an end that is not before the start"),
        ("1985/1986/1987", 9, "/", "the end"),
        ("1985/...", 5, ".", "a year of four digits"),
        ("[]", 1, "]", "a year of four digits"),
        ("{1985", 5, "", "',' or '}'"),
        ("[1985}", 5, "}", "',' or ']'"),
        ("[..]", 3, "]", "a year of four digits"),
        ("[1985]?", 6, "?", "the end"),
        ("[1670..1667]", 7, "1667", "an end that is not before the start"),
        ("[1667,..1670]", 6, ".", "a year of four digits"),
        ("[1667..,1670]", 7, ",", "a year of four digits"),
        ("[1985/1986]", 5, "/", "',' or ']'"),
        ("١٩٨٥", 0, "١", "a year of four digits"),
        ("1985-04-12t23:20:30", 10, "t", "the end"),
        ("1985\x00", 4, "\x00", "the end"),
        ("1985\ud800", 4, "\ud800", "the end"),
    ],
)
def test_an_error_says_where_what_and_what_instead(text: str, position: int, found: str, expected: str) -> None:
    with pytest.raises(EdtfError) as caught:
        parse(text)
    error = caught.value
    assert (error.text, error.position, error.found) == (text, position, found)
    assert error.expected.startswith(expected)
    assert isinstance(error, ValueError)


def test_an_error_is_a_readable_sentence() -> None:
    with pytest.raises(EdtfError) as caught:
        parse("1985-02-30")
    assert str(caught.value) == (
        "'1985-02-30' is no date: at position 8 expected a day 01 to 28, found '30'; "
        "the last day of that month is '1985-02-28'"
    )
    with pytest.raises(EdtfError) as caught:
        parse("1985-")
    assert str(caught.value).endswith("found the end")


def test_an_error_about_a_long_text_stays_short_and_writable() -> None:
    with pytest.raises(EdtfError) as caught:
        parse("1985\ud800" + "9" * 100_000)
    assert len(str(caught.value)) < 250
    str(caught.value).encode()


def test_an_error_survives_pickling() -> None:
    error = EdtfError("1985 ", 4, " ", "the end")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    "text",
    ["2004/2004", "2004-06/2004", "2004-12/2004", "2004-06-15/2004-06", "[2004..2004]", "2004-06-15/2004-06-1X"],
)
def test_an_end_that_may_lie_after_the_start_is_enough(text: str) -> None:
    assert parse(text).edtf == text


@pytest.mark.parametrize(
    ("text", "canonical", "level"),
    [
        ("?2004", "2004?", 1),
        ("?2004-?06-?11", "2004-06-11?", 1),
        ("2004?-?06", "2004-06?", 1),
        ("?2004-06-11", "2004?-06-11", 2),
        ("~2004-~06-11", "2004-06~-11", 2),
        ("?2004-06~-11", "%2004-~06-11", 2),
        ("2004?-06~-11", "%2004-~06-11", 2),
        ("2004-?06~-11", "~2004-%06-11", 2),
        ("2004-06-~11", "2004-06-~11", 2),
        ("2004?-06-11~", "%2004-~06-~11", 2),
        ("?2004/~2005-06", "2004?/2005~-06", 2),
        ("[?2004..]", "[2004?..]", 2),
    ],
)
def test_qualifiers_have_one_canonical_place(text: str, canonical: str, level: int) -> None:
    expression = parse(text)
    assert expression.edtf == canonical
    assert expression.level == level
    assert expression == parse(canonical)
    assert parse(canonical).tree == expression.tree


@pytest.mark.parametrize(
    ("text", "uncertain", "approximate"),
    [
        ("1984", False, False),
        ("1984?", True, False),
        ("1984~", False, True),
        ("1984%", True, True),
        ("?2004-06-~11", True, True),
        ("2004-%06-11", True, True),
        ("2003?/2004", True, False),
        ("../2004~", False, True),
        ("[2003,2004~..2005]", False, True),
        ("{2003?,2004}", True, False),
        ("1950S2", False, False),
    ],
)
def test_a_qualifier_is_a_flag_and_moves_no_bound(text: str, uncertain: bool, approximate: bool) -> None:  # noqa: FBT001 - a table's columns
    expression = parse(text)
    assert (expression.uncertain, expression.approximate) == (uncertain, approximate)
    bare = parse(text.translate(str.maketrans("", "", "?~%")))
    assert expression.bounds == bare.bounds
    assert expression.pieces == bare.pieces


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("1985-04-12T23:20:30", "second"),
        ("1985-04-12", "day"),
        ("2013-02-2X", "day"),
        ("156X-12-25", "day"),
        ("1985-04-XX", "month"),
        ("1985-04", "month"),
        ("1560-X2", "month"),
        ("XXXX-12-XX", "month"),
        ("2001-21", "season"),
        ("2001-32", "season"),
        ("2001-33", "quarter"),
        ("2001-39", "quadrimester"),
        ("2001-40", "semester"),
        ("1985", "year"),
        ("2004-XX", "year"),
        ("1985-XX-XX", "year"),
        ("Y-17E7", "year"),
        ("1950S4", "year"),
        ("201X", "decade"),
        ("1950S3", "decade"),
        ("20XX", "century"),
        ("1950S2", "century"),
        ("1XXX-XX", "millennium"),
        ("Y3388E2S3", "millennium"),
        ("XXXX", "millennia"),
        ("Y171010000S3", "millennia"),
        ("Y1E999999999S1", "millennia"),
        ("2004-02-01/2005-02", "month"),
        ("2012-09/..", "month"),
        ("/1985-04-12", "day"),
        ("[1667,1760-12]", "year"),
        ("{1960-01-01..1961-12-01}", "day"),
    ],
)
def test_the_precision_is_that_of_what_is_known(text: str, precision: str) -> None:
    assert parse(text).precision == precision


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("0000", 0),
        ("-0043-03-15T10:00:00Z", 1),
        ("-201X", 1),
        ("2001-24", 1),
        ("2001-25", 2),
        ("2XXX", 2),
        ("201X-XX", 2),
        ("2013-02-2X", 2),
        ("1984?/2004~", 1),
        ("2001-21/2002", 1),
        ("2004-01-01T10:00:00Z/2004-01-01T11:00:00Z", 0),
        ("1950S2/..", 2),
        ("[1984]", 2),
    ],
)
def test_the_level_is_the_lowest_that_has_the_form(text: str, level: int) -> None:
    assert parse(text).level == level


@pytest.mark.parametrize("year", range(1890, 2110, 7))
def test_the_glance_at_plain_dates_sees_what_the_reader_sees(year: int) -> None:
    months = [f"{year}-{month:02d}" for month in range(1, 13)]
    days = [f"{month}-{day:02d}" for month in months for day in (1, 28, 29, 30, 31)]
    for text in [str(year), *months, *days]:
        try:
            tree = Reader(text).expression()
        except EdtfError:
            with pytest.raises(EdtfError):
                parse(text)
        else:
            quick = parse(text)
            assert (quick.edtf, quick.tree, quick.bounds) == (str(tree), tree, bounds_of(tree))


def test_an_expression_is_immutable_and_has_no_room_for_more() -> None:
    expression = parse("2013-02")
    with pytest.raises(FrozenInstanceError):
        expression.edtf = "2014"  # type: ignore[misc]  # it is forbidden, which is the point
    assert not hasattr(expression, "__dict__")


def test_expressions_compare_by_what_they_say() -> None:
    assert parse("?2004-?06") == parse("2004-06?")
    assert len({parse("?2004-?06"), parse("2004-06?"), parse("2004-06")}) == 2
    assert copy.deepcopy(parse("156X-12-25")) == parse("156X-12-25")
    assert pickle.loads(pickle.dumps(parse("2012-09/.."))).bounds == parse("2012-09/..").bounds  # noqa: S301 - our own bytes


def test_expressions_sort_by_time() -> None:
    texts = ["Y-17E7", "[..1984]", "-0043", "0000", "1984", "1984-02", "1984-02-01/..", "Y17E7"]
    assert [item.edtf for item in sorted(map(parse, reversed(texts)))] == [
        "Y-17E7",
        "[..1984]",
        "-0043",
        "0000",
        "1984",
        "1984-02-01/..",
        "1984-02",
        "Y17E7",
    ]
    assert parse("1984") <= parse("1984") < parse("1984-02") < parse("1985")
    assert parse("1985") >= parse("1984-02")
    with pytest.raises(TypeError):
        _ = parse("1984") < "1985"
