"""What the check of a history must accept, and what it must reject; and whether it agrees with trying every order."""

from __future__ import annotations

from itertools import chain, combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.prove import IS_LONG
from tests.prove.event_model import ABSENT, Answer, Content, Kind, Request, State, step
from tests.prove.linearizability import Operation, find_violation
from tests.prove.traffic import EventOperation

ONE, TWO, THREE = (Content(f"title {number}", f"summary {number}") for number in (1, 2, 3))
NEVER = 1_000


def did(called: int, returned: int, request: Request, answer: Answer | None) -> EventOperation:
    return Operation(0, request, answer, called, returned)


def created(called: int, returned: int, content: Content, version: int = 1) -> EventOperation:
    return did(called, returned, Request(Kind.CREATE, content), Answer(201, State(version, content)))


def replaced(called: int, returned: int, content: Content, expected: int) -> EventOperation:
    answer = Answer(200, State(expected + 1, content))
    return did(called, returned, Request(Kind.REPLACE, content, expected), answer)


def deleted(called: int, returned: int, expected: int) -> EventOperation:
    return did(called, returned, Request(Kind.DELETE, expected=expected), Answer(204))


def read(called: int, returned: int, version: int, content: Content) -> EventOperation:
    return did(called, returned, Request(Kind.READ), Answer(200, State(version, content)))


def read_nothing(called: int, returned: int, status: int) -> EventOperation:
    return did(called, returned, Request(Kind.READ), Answer(status))


def lost(called: int, request: Request) -> EventOperation:
    return did(called, called + 1, request, None)


REPLACE_LOST = lost(2, Request(Kind.REPLACE, TWO, 1))
LINEARIZABLE = {
    "nothing": [],
    "one after another": [created(0, 1, ONE), replaced(2, 3, TWO, 1), read(4, 5, 2, TWO), deleted(6, 7, 2)],
    "a read beside a write sees it": [created(0, 1, ONE), replaced(2, 9, TWO, 1), read(3, 4, 2, TWO)],
    "a read beside a write does not see it": [created(0, 1, ONE), replaced(2, 9, TWO, 1), read(3, 4, 1, ONE)],
    "reads beside a write see it from then on": [
        *(created(0, 1, ONE), replaced(2, 9, TWO, 1)),
        *(read(3, 4, 1, ONE), read(5, 6, 2, TWO), read(7, 8, 2, TWO)),
    ],
    "one of two writers is told of the other": [
        *(created(0, 1, ONE), replaced(2, 9, TWO, 1)),
        did(3, 8, Request(Kind.REPLACE, THREE, 1), Answer(412, State(2, TWO))),
    ],
    "a call at the instant of a return": [created(0, 1, ONE), replaced(2, 4, TWO, 1), read(4, 5, 1, ONE)],
    "a deleted event is created again": [
        *(created(0, 1, ONE), deleted(2, 3, 1), read_nothing(4, 5, 410)),
        *(created(6, 7, TWO, 3), read(8, 9, 3, TWO)),
    ],
    "an unknown write took effect": [created(0, 1, ONE), REPLACE_LOST, read(4, 5, 2, TWO)],
    "an unknown write took effect late": [created(0, 1, ONE), REPLACE_LOST, read(4, 5, 1, ONE), read(6, 7, 2, TWO)],
    "an unknown write never took effect": [created(0, 1, ONE), REPLACE_LOST, read(4, 5, 1, ONE), deleted(6, 7, 1)],
    "an unknown write waits for its version": [
        *(lost(0, Request(Kind.AMEND, THREE, 2)), created(2, 3, ONE), replaced(4, 5, TWO, 1)),
        read(6, 7, 3, Content(TWO.title, THREE.summary)),
    ],
    "unknown writes took effect the other way round": [
        *(lost(0, Request(Kind.REPLACE, TWO, 1)), lost(2, Request(Kind.CREATE, ONE)), read(4, 5, 2, TWO)),
    ],
}
CONTRADICTORY = {
    "a stale read": [created(0, 1, ONE), replaced(2, 3, TWO, 1), read(4, 5, 1, ONE)],
    "a stale read after a read beside the write": [
        *(created(0, 1, ONE), replaced(2, 9, TWO, 1), read(3, 4, 2, TWO), read(5, 6, 1, ONE)),
    ],
    "a lost update": [created(0, 1, ONE), replaced(2, 9, TWO, 1), replaced(3, 8, THREE, 1)],
    "a lost update, seen by readers alone": [
        *(created(0, 1, ONE), lost(2, Request(Kind.REPLACE, TWO, 1)), lost(2, Request(Kind.REPLACE, THREE, 1))),
        *(read(4, 5, 2, TWO), read(6, 7, 2, THREE)),
    ],
    "a resurrected delete": [created(0, 1, ONE), deleted(2, 3, 1), read(4, 5, 1, ONE)],
    "an event that forgot that it was deleted": [created(0, 1, ONE), deleted(2, 3, 1), read_nothing(4, 5, 404)],
    "an acknowledged write that is gone": [created(0, 1, ONE), replaced(2, 3, TWO, 1), replaced(4, 5, THREE, 1)],
    "an acknowledged creation that is gone": [created(0, 1, ONE), read_nothing(2, 3, 404)],
    "a write seen before it was asked for": [created(0, 1, ONE), read(2, 3, 2, TWO), replaced(4, 5, TWO, 1)],
    "an unknown write that took effect and was undone": [
        *(created(0, 1, ONE), REPLACE_LOST, read(4, 5, 2, TWO), read(6, 7, 1, ONE)),
    ],
    "an unknown write that took effect twice": [
        *(lost(0, Request(Kind.CREATE, ONE)), read(2, 3, 1, ONE), deleted(4, 5, 1), read(6, 7, 3, ONE)),
        *(deleted(8, 9, 3), read(10, 11, 5, ONE)),
    ],
    "a refusal without a reason": [
        *(created(0, 1, ONE), did(2, 3, Request(Kind.REPLACE, TWO, 1), Answer(412, State(1, ONE)))),
    ],
    "a refusal that shows the wrong state": [
        *(created(0, 1, ONE), did(2, 3, Request(Kind.CREATE, TWO), Answer(412, State(1, TWO)))),
    ],
    "a version that was skipped": [created(0, 1, ONE), read(2, 3, 2, ONE)],
    "an answer that the contract does not know": [created(0, 1, ONE), read_nothing(2, 3, 500)],
    "an amendment of what was replaced": [
        *(created(0, 1, ONE), replaced(2, 3, TWO, 1)),
        did(4, 5, Request(Kind.AMEND, THREE), Answer(200, State(3, Content(ONE.title, THREE.summary)))),
    ],
}


@pytest.mark.parametrize("history", LINEARIZABLE.values(), ids=LINEARIZABLE.keys())
def test_what_an_order_explains_is_accepted(history: list[EventOperation]) -> None:
    assert find_violation(history, step, ABSENT) is None


@pytest.mark.parametrize("history", CONTRADICTORY.values(), ids=CONTRADICTORY.keys())
def test_what_no_order_explains_is_rejected(history: list[EventOperation]) -> None:
    assert find_violation(history, step, ABSENT) is not None


def test_a_violation_shows_the_answer_and_what_was_possible() -> None:
    violation = find_violation(CONTRADICTORY["a stale read"], step, ABSENT)
    assert violation is not None
    assert violation.operation == read(4, 5, 1, ONE)
    assert violation.possible == {State(2, TWO)}
    assert "no order explains" in str(violation)
    assert "title 2" in str(violation)


def test_many_readers_at_once_cost_no_search_of_their_orders() -> None:
    history = [created(0, 1, ONE), replaced(2, 99, TWO, 1)]
    history += [read(3, 98, 1, ONE) if number % 2 else read(3, 98, 2, TWO) for number in range(60)]
    assert find_violation(history, step, ABSENT) is None
    assert find_violation([*history, read(100, 101, 1, ONE)], step, ABSENT) is not None


CONTENTS = st.sampled_from([ONE, TWO])
VERSIONS = st.integers(1, 3)
STATES = st.builds(State, VERSIONS, CONTENTS)
REQUESTS = st.one_of(
    st.just(Request(Kind.READ)),
    st.builds(Request, st.just(Kind.CREATE), CONTENTS),
    st.builds(Request, st.sampled_from([Kind.REPLACE, Kind.AMEND]), CONTENTS, st.none() | VERSIONS),
    st.builds(Request, st.just(Kind.DELETE), st.none(), st.none() | VERSIONS),
)


@st.composite
def histories(draw: st.DrawFn) -> list[EventOperation]:
    """Make up a history of a few operations, overlapping at random, whose answers are right in some order.

    A few answers are then exchanged for others, so that about half of the histories have no order at all.
    """
    requests = draw(st.lists(REQUESTS, min_size=1, max_size=5))
    state, history = ABSENT, []
    for number, request in enumerate(requests):
        answer, state = step(state, request)
        early, late = draw(st.integers(0, 4)), draw(st.integers(0, 4))
        told: Answer | None = answer
        change = draw(st.integers(0, 9))
        if change == 0:
            told = None
        elif change == 1:
            told = step(draw(STATES), request)[0]
        history.append(did(2 * number - early, 2 * number + 1 + late, request, told))
    return draw(st.permutations(history))


def has_order(history: list[EventOperation]) -> bool:
    """Try every order of those that were answered and of any of the others."""
    answered = [one for one in history if one.answer is not None]
    unknown = [one for one in history if one.answer is None]
    chosen = chain.from_iterable(combinations(unknown, size) for size in range(len(unknown) + 1))
    return any(explains(order) for some in chosen for order in permutations([*answered, *some]))


def explains(order: tuple[EventOperation, ...]) -> bool:
    state = ABSENT
    for number, one in enumerate(order):
        answer, state = step(state, one.request)
        ends = NEVER if one.answer is None else one.returned
        if one.answer not in (None, answer) or any(ends < earlier.called for earlier in order[:number]):
            return False
    return True


@settings(max_examples=5_000 if IS_LONG else 300, deadline=None, derandomize=not IS_LONG)
@given(histories())
def test_the_search_agrees_with_trying_every_order(history: list[EventOperation]) -> None:
    assert (find_violation(history, step, ABSENT) is None) == has_order(history)
