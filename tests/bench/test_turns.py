"""Turns, what is made of them, and when a difference is one."""

from __future__ import annotations

import pytest

from bench.turns import Contest, Spread, ratios, take_turns, verdict
from bench.usage import Figures


def test_contestants_alternate_and_the_first_turn_does_not_count() -> None:
    order: list[str] = []

    def turn(name: str) -> Contest:
        def run(seconds: float) -> Figures:
            order.append(f"{name}{seconds:g}")
            return {"per_second": float(len(order))}

        return Contest("task", name, run)

    measured = take_turns([turn("a"), turn("b")], rounds=3, seconds=2)
    assert order == ["a1", "b1", "a2", "b2", "b2", "a2", "a2", "b2"]
    assert measured == {
        "task": {
            "a": [{"per_second": 3}, {"per_second": 6}, {"per_second": 7}],
            "b": [{"per_second": 4}, {"per_second": 5}, {"per_second": 8}],
        }
    }


def test_a_spread_is_written_with_its_ends() -> None:
    assert Spread.of([3, 1, 2]) == (2, 1, 3)
    assert Spread.of([1000, 3000]).written(",.0f") == "2,000 (1,000 to 3,000)"


def test_ratios_are_taken_within_a_round() -> None:
    assert ratios([10, 20], [5, 40]) == [2, 0.5]
    with pytest.raises(ValueError, match="longer"):
        ratios([1], [1, 2])


@pytest.mark.parametrize(
    ("compared", "word"),
    [
        ([1.01] * 8, "faster"),
        ([0.99] * 8, "slower"),
        ([2.0] * 7, "too few rounds"),
        ([2.0] * 7 + [0.99], "no difference beyond the spread"),
        ([2.0] * 7 + [1.0], "no difference beyond the spread"),
        ([1.0] * 8, "no difference beyond the spread"),
        ([2.0] * 11 + [0.5], "faster"),
        ([0.5] * 10 + [2.0] * 2, "no difference beyond the spread"),
    ],
)
def test_a_difference_is_one_in_which_the_rounds_agree(compared: list[float], word: str) -> None:
    assert verdict(compared, "faster", "slower") == word
