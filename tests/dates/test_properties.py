"""What must hold for any expression and any text."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dates import (
    AXIS_END,
    AXIS_START,
    DISTANT_FUTURE,
    DISTANT_PAST,
    EdtfError,
    Expression,
    describe,
    parse,
    parse_window,
)
from service.dates.pieces import MOST_PIECES
from service.dates.reader import Reader
from service.dates.traits import dates_of
from service.dates.tree import MARKS, Date, Tree
from tests.dates.completions import exists, is_countable
from tests.dates.examples import ALL_EXAMPLES
from tests.dates.trees import dates, trees
from tests.prove import IS_LONG

thorough = settings(max_examples=2000 if IS_LONG else 400, deadline=None, derandomize=True)


ALPHABET = "0123456789XYTZES-+:/.,[]{}?~% "
near_edtf = st.text(ALPHABET, max_size=200)
pieces_of_edtf = st.lists(
    st.sampled_from(["2004", "-02", "-29", "-XX", "XXXX", "..", "/", "[", "]", "{", "}", ",", "?", "~", "%", "Y", "E"])
    | st.sampled_from(["S2", "T", "24:00:00", "Z", "-", "+04", "99999", "0", "X", "-21", "-3X", " ", "\x00", "\ud800"]),
    max_size=40,
).map("".join)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An example with a few characters changed, added or left out."""
    text = list(draw(st.sampled_from(ALL_EXAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        text[place : place + draw(st.integers(0, 2))] = draw(st.text(ALPHABET, max_size=2))
    return "".join(text)


@thorough
@given(trees().filter(is_countable))
def test_exactly_what_can_be_is_accepted_and_written_as_it_was(tree: Tree) -> None:
    text = str(tree)
    if not exists(tree):
        with pytest.raises(EdtfError) as caught:
            parse(text)
        # What can not be is a day or an end; all else is in order.
        assert caught.value.expected.startswith(("a day", "an end"))
        return
    expression = parse(text)
    assert expression.tree == tree
    assert expression.edtf == text


@thorough
@given(dates(far=True).map(str) | mutated())
def test_usual_dates_are_read_at_a_glance_as_they_are_part_by_part(text: str) -> None:
    glance, reader = Reader(text), Reader(text)
    if date := glance._usual_date():
        assert date == reader._date()
        assert glance._position == reader._position


@thorough
@given(dates(far=True), st.data())
def test_qualifiers_mean_the_same_wherever_they_stand(date: Date, data: st.DataObject) -> None:
    """Each part's flags are those of its own mark and of the groups' marks behind it and behind later parts."""
    parts = date.parts
    own = [data.draw(st.integers(0, 3)) for _ in parts]
    group = [data.draw(st.integers(0, 3)) for _ in parts]
    text = "-".join(
        MARKS[before] + part + MARKS[behind] for before, part, behind in zip(own, parts, group, strict=True)
    )
    expected = [
        (own[place] | group[place])
        | (group[place + 1] if place + 1 < len(parts) else 0)
        | (group[place + 2] if place + 2 < len(parts) else 0)
        for place in range(len(parts))
    ]
    with contextlib.suppress(EdtfError):
        tree = parse(text).tree
        assert isinstance(tree, Date)
        assert list(tree.qualifiers or [0] * len(parts)) == expected
        assert parse(str(tree)).tree == tree


@thorough
@given(trees(far=True))
def test_every_expression_has_sound_bounds_pieces_and_words(tree: Tree) -> None:
    try:
        expression = parse(str(tree))
    except EdtfError:
        return
    _check(expression)
    assert parse(expression.edtf) == expression


def _check(expression: Expression) -> None:
    bounds = expression.bounds
    start_earliest, start_latest, end_earliest, end_latest = bounds
    assert all(instant in (DISTANT_PAST, DISTANT_FUTURE) or AXIS_START <= instant <= AXIS_END for instant in bounds)
    assert start_earliest <= start_latest <= end_latest
    assert start_earliest <= end_earliest <= end_latest
    assert start_earliest < end_latest
    assert start_latest < end_latest or start_latest == DISTANT_FUTURE
    assert start_earliest < end_earliest or end_earliest == DISTANT_PAST
    pieces = expression.pieces
    if pieces is not None:
        assert 1 <= len(pieces) <= MOST_PIECES
        assert len(pieces) > 1 or expression.every
        assert all(start < end for start, end in pieces)
        assert all(before[1] < after[0] for before, after in pairwise(pieces))
        assert (pieces[0][0], pieces[-1][1]) == (start_earliest, end_latest)
    assert expression.level in (0, 1, 2)
    words = describe(expression)
    assert words == words.strip()
    assert "  " not in words
    assert not any(mark in words for mark in "?~%[]{}/X")
    has_mask = any("X" in str(date) for date in dates_of(expression.tree))
    assert not has_mask or expression.level > 0


@settings(max_examples=6000 if IS_LONG else 1000, deadline=None, derandomize=True)
@given(st.one_of(mutated(), near_edtf, pieces_of_edtf, st.text(max_size=200), trees(far=True).map(str)))
def test_no_text_raises_anything_but_the_one_error(text: str) -> None:
    outcome = _outcome(text)
    if isinstance(outcome, Expression):
        _check(outcome)
        assert parse_window(text) == (outcome.bounds.start_earliest, outcome.bounds.end_latest)
        return
    assert outcome.text == text
    assert 0 <= outcome.position <= len(text)
    assert text.startswith(outcome.found, outcome.position)
    assert bool(outcome.found) == (outcome.position < len(text))
    assert outcome.expected
    str(outcome).encode()
    with pytest.raises(EdtfError):
        parse_window(text)


def _outcome(text: str) -> Expression | EdtfError:
    try:
        return parse(text)
    except EdtfError as error:
        return error


@pytest.mark.parametrize("text", ["Y" + "9" * 100_000, "Y1E" + "9" * 100_000, "Y12345S" + "1" * 100_000])
def test_even_a_year_of_a_hundred_thousand_digits_does_no_harm(text: str) -> None:
    with contextlib.suppress(EdtfError):
        expression = parse(text)
        assert expression.bounds.end_latest == DISTANT_FUTURE
        assert len(describe(expression)) < 100
