import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dates import DISTANT_FUTURE, DISTANT_PAST, Answer, Bounds, Relation, Window, parse, parse_window, relate
from service.dates.pieces import MOST_PIECES
from service.dates.tree import DateSet, Interval, Tree
from tests.dates.completions import Meaning, exists, is_countable, meaning_of, runs, truths
from tests.dates.trees import trees
from tests.prove import IS_LONG

WINDOWS_PER_EXPRESSION = 8

# With eight windows and five relations for each expression these are more than 50,000 cases; 10,000 in the short form.
exhaustive = settings(max_examples=1500 if IS_LONG else 300, deadline=None, derandomize=True)


def answer(text: str, relation: str, window: str) -> str:
    return relate(Relation(relation), parse(text), parse_window(window))


@pytest.mark.parametrize(
    ("text", "relation", "window", "expected"),
    [
        ("2013-02-24/2013-02-28", "intersects", "2013-02-26", "certain"),
        ("[2013-02-24..2013-02-28]", "intersects", "2013-02-26", "possible"),
        ("{2013-02-24..2013-02-28}", "intersects", "2013-02-26", "certain"),
        ("2013-02-25", "intersects", "2013-02", "certain"),
        ("2013-02", "intersects", "2013-02-25", "possible"),
        ("2013-02-25", "intersects", "2013-02-26", "impossible"),
        ("2012-09/..", "intersects", "2100", "certain"),
        ("2012-09/", "intersects", "2100", "possible"),
        ("[..2013-02-20]", "intersects", "../2013-02-20", "certain"),
        ("[..2013-02-20]", "intersects", "1000", "possible"),
        ("[2013-02-20..]", "intersects", "2013-02-20/..", "certain"),
        ("1560-X2", "intersects", "1560-06", "impossible"),
        ("1560-X2", "intersects", "1560-02/1560-06", "possible"),
        ("1560-X2", "intersects", "1560", "certain"),
        ("{2013-02-21,2013-02-28}", "intersects", "2013-02-25", "impossible"),
        ("{2013-02-21,2013-02-28}", "intersects", "2013-02-21", "certain"),
        ("[2013-02-21,2013-02-28]", "intersects", "2013-02-21", "possible"),
        ("{156X-12-25,1580}", "intersects", "1560-12-25", "possible"),
        ("{156X-12-25,1580}", "intersects", "1570/1575", "impossible"),
        ("{156X-12-25,1580}", "intersects", "1579/1581", "certain"),
        ("{201X,202X}", "intersects", "2020", "possible"),
        ("Y-17E7", "intersects", "../2000", "certain"),
        ("Y17E7", "intersects", "2000/..", "certain"),
        ("Y17E7", "intersects", "../2000", "impossible"),
        ("2013-02-25", "within", "2013-02", "certain"),
        ("2013", "within", "2013-02", "possible"),
        ("2012-09/..", "within", "2012/..", "certain"),
        ("2012-09/..", "within", "2012/2020", "impossible"),
        ("2012-09/", "within", "2012/2020", "possible"),
        ("../1985", "within", "1900/1990", "impossible"),
        ("2013-02-24/2013-02-28", "contains", "2013-02-26", "certain"),
        ("2013-02", "contains", "2013-02-26", "possible"),
        ("2013-02-26", "contains", "2013-02", "impossible"),
        ("../2013", "contains", "../2012", "certain"),
        ("[..2013]", "contains", "../2012", "possible"),
        ("2000/..", "contains", "2001/..", "certain"),
        ("2000", "contains", "../1999", "impossible"),
        ("2013-02-25", "before", "2013-02-26", "certain"),
        ("2013-02", "before", "2013-02-26", "possible"),
        ("2013-02-26", "before", "2013-02-26", "impossible"),
        ("2000", "before", "../2013", "impossible"),
        ("[..2000]", "before", "../2013", "impossible"),
        ("Y-17E7", "before", "-4700", "certain"),
        ("2013-02-26", "after", "2013-02-25", "certain"),
        ("2013-02", "after", "2013-02-25", "possible"),
        ("[2000..]", "after", "1990/..", "impossible"),
        ("Y17E7", "after", "2000/..", "impossible"),
        ("Y17E7", "after", "2000", "certain"),
    ],
)
def test_what_is_certain_possible_and_impossible(text: str, relation: str, window: str, expected: str) -> None:
    assert answer(text, relation, window) == expected


def _windows(meaning: Meaning, picks: list[tuple[int, int]]) -> list[Window]:
    """Windows whose ends are those of what is meant, or next to one, or open."""
    edges = {edge for unit in itertools.chain(*meaning.choices, *meaning.starts, *meaning.ends) for edge in unit}
    near = sorted({edge + step for edge in edges for step in (-(10**10), -1, 0, 1, 10**10)})
    pool = [DISTANT_PAST, *(edge for edge in near if DISTANT_PAST < edge < DISTANT_FUTURE), DISTANT_FUTURE]
    chosen = [sorted((pool[one % len(pool)], pool[other % len(pool)])) for one, other in picks]
    return [
        Window(start, end) for start, end in chosen if start < end and (start, end) != (DISTANT_PAST, DISTANT_FUTURE)
    ]


def _check(tree: Tree, meaning: Meaning, relation: Relation, window: Window) -> Answer:
    """Compare an answer to the brute force; give it back."""
    expression = parse(str(tree))
    given_answer = relate(relation, expression, window)
    always, sometimes = truths(meaning, relation, window)
    is_certain, is_possible = given_answer is Answer.CERTAIN, given_answer is not Answer.IMPOSSIBLE
    where = f"{tree} {relation} {window}: {given_answer}, always {always}, sometimes {sometimes}"
    assert always or not is_certain, where
    assert is_possible or not sometimes, where
    certain_is_exact, possible_is_exact = _exactness(tree, meaning, relation)
    assert is_certain or not always or not certain_is_exact, where
    assert sometimes or not is_possible or not possible_is_exact, where
    return given_answer


def _exactness(tree: Tree, meaning: Meaning, relation: Relation) -> tuple[bool, bool]:
    """Say whether `certain` and whether `possible` must be as the brute force has them, not merely sound."""
    is_single = all(len(found) == 1 for found in (*meaning.choices, *meaning.starts, *meaning.ends))
    match relation:
        case Relation.BEFORE | Relation.AFTER:
            return True, True
        case Relation.WITHIN | Relation.CONTAINS:
            ranges_freely = is_single and (meaning.is_extent or not isinstance(tree, DateSet))
            return ranges_freely, ranges_freely
        case Relation.INTERSECTS:
            if meaning.is_extent:
                return True, True
            apart = runs(itertools.chain(*meaning.choices))
            if isinstance(tree, DateSet) and tree.every:
                # A piece is a run of members: which of them is where in it, the pieces do not say.
                return is_single and len(apart) == len(tree.members), is_single
            return True, len(apart) <= MOST_PIECES


@exhaustive
@given(
    trees().filter(is_countable).filter(exists),
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
        min_size=WINDOWS_PER_EXPRESSION,
        max_size=WINDOWS_PER_EXPRESSION,
    ),
)
def test_the_closed_forms_agree_with_all_completions(tree: Tree, picks: list[tuple[int, int]]) -> None:
    meaning = meaning_of(tree)
    for window in _windows(meaning, picks):
        answers = {relation: _check(tree, meaning, relation, window) for relation in Relation}
        certain = [
            relation
            for relation in (Relation.BEFORE, Relation.AFTER, Relation.INTERSECTS)
            if answers[relation] is Answer.CERTAIN
        ]
        assert len(certain) <= 1, (str(tree), window, certain)


@pytest.mark.parametrize("edges", list(itertools.combinations(range(4), 2)))
def test_small_bounds_and_windows_one_by_one(edges: tuple[int, int]) -> None:
    window = Window(*edges)
    for start_earliest, start_latest, end_earliest, end_latest in itertools.product(range(5), repeat=4):
        if not (start_earliest <= start_latest < end_latest and start_earliest < end_earliest <= end_latest):
            continue
        ways = [
            (start, end)
            for start in range(start_earliest, start_latest + 1)
            for end in range(end_earliest, end_latest + 1)
            if start < end
        ]
        bounds = Bounds(start_earliest, start_latest, end_earliest, end_latest)
        for relation, holds in {
            Relation.INTERSECTS: [end > window.start and start < window.end for start, end in ways],
            Relation.WITHIN: [start >= window.start and end <= window.end for start, end in ways],
            Relation.CONTAINS: [start <= window.start and end >= window.end for start, end in ways],
            Relation.BEFORE: [end <= window.start for _, end in ways],
            Relation.AFTER: [start >= window.end for start, _ in ways],
        }.items():
            expected = Answer.CERTAIN if all(holds) else Answer.POSSIBLE if any(holds) else Answer.IMPOSSIBLE
            assert relate(relation, bounds, window) is expected, (relation, bounds, window)


def test_an_interval_is_more_than_its_parts() -> None:
    assert isinstance(parse("2012/2013").tree, Interval)
    assert answer("2012/2013", "intersects", "2012-12-31/2013-01-01") == "certain"
    assert answer("{2012,2013}", "intersects", "2012-12-31/2013-01-01") == "certain"
    assert answer("[2012,2013]", "intersects", "2012-12-31/2013-01-01") == "possible"
