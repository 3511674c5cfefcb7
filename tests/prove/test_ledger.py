"""The check of what is kept sees each kind of fault, planted one at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.prove.ledger import Acknowledged, Content, Kept, State, find_faults

FIRST = State("a", 1, Content("made"))
SECOND = FIRST.claimed("said")
THIRD = SECOND.amended("changed")
FOURTH = THIRD.deleted()
OTHER = State("b", 1, Content("made too"))
WRITES = [
    Acknowledged((FIRST,), b"first"),
    Acknowledged((SECOND,), b"second"),
    Acknowledged((THIRD,)),
    Acknowledged((FOURTH, OTHER), b"batch"),
]
KEPT = Kept([OTHER, FIRST, FOURTH, THIRD, SECOND], [b"batch", b"first", b"second"], audited=4)


def test_a_write_makes_the_state_that_it_should() -> None:
    states = [FIRST, SECOND, THIRD, FOURTH]
    assert [state.version for state in states] == [1, 2, 3, 4]
    assert [state.content for state in states] == [("made", ()), ("made", ("said",)), ("changed", ("said",)), None]


def test_nothing_is_found_where_all_is_kept() -> None:
    assert find_faults(WRITES, KEPT) == []


@pytest.mark.parametrize("lost", KEPT.states)
def test_a_lost_write_is_found(lost: State) -> None:
    kept = replace(KEPT, states=[one for one in KEPT.states if one != lost])
    assert find_faults(WRITES, kept) == [f"lost state: {lost}"]


def test_a_write_that_was_done_twice_is_found_as_another_version() -> None:
    again = State("b", 2, OTHER.content)
    kept = replace(KEPT, states=[*KEPT.states, again])
    assert find_faults(WRITES, kept) == [f"state that nobody was told of: {again}"]


def test_a_write_that_was_done_twice_is_found_as_another_event() -> None:
    again = OTHER._replace(event="c")
    kept = replace(KEPT, states=[*KEPT.states, again])
    assert find_faults(WRITES, kept) == [
        f"state that nobody was told of: {again}",
        "duplicate: 'made too' in 2 events",
    ]


def test_a_write_that_was_acknowledged_as_two_events_is_found() -> None:
    again = OTHER._replace(event="c")
    kept = replace(KEPT, states=[*KEPT.states, again], audited=5)
    assert find_faults([*WRITES, Acknowledged((again,))], kept) == ["duplicate: 'made too' in 2 events"]


def test_a_state_of_another_content_is_found() -> None:
    other = THIRD.amended("by nobody")._replace(version=3)
    kept = replace(KEPT, states=[OTHER, FIRST, FOURTH, other, SECOND])
    assert find_faults(WRITES, kept) == [f"lost state: {THIRD}", f"state that nobody was told of: {other}"]


def test_a_lost_key_and_one_too_many_are_found() -> None:
    kept = replace(KEPT, bodies=[b"first", b"second", b"nobody's"])
    assert find_faults(WRITES, kept) == [
        "lost answer under a key: b'batch'",
        'answer under a key that nobody was told of: b"nobody\'s"',
    ]


def test_a_write_without_its_audit_is_found() -> None:
    assert find_faults(WRITES, replace(KEPT, audited=3)) == ["4 writes were acknowledged, and 3 audited"]
