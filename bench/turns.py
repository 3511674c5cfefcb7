"""Turns: contestants are measured one after the other, round by round, and compared within each round.

Whatever else the machine does falls on all of them; every other round goes backwards, so that none always follows
the same one.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import comb
from typing import NamedTuple

from bench.usage import Figures, Turn

WARMING_SECONDS = 1.0
# How seldom chance alone may give a verdict.
_CHANCE = 0.01

Measured = dict[str, dict[str, list[Figures]]]
"""Figures of each turn, by task and contestant, in the order of the rounds."""


class Contest(NamedTuple):
    """What is asked of whom, and how."""

    task: str
    contestant: str
    turn: Turn


class Spread(NamedTuple):
    """The median of some figures, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        """Sum figures up; there must be at least one."""
        return cls(statistics.median(numbers), min(numbers), max(numbers))

    def written(self, form: str) -> str:
        """Write it, the least and the most in brackets."""
        return f"{self.median:{form}} ({self.least:{form}} to {self.most:{form}})"


def take_turns(
    contests: Sequence[Contest], rounds: int, seconds: float, told: Callable[[str], None] = lambda _: None
) -> Measured:
    """Let each have its turn, round by round, after one that warms up."""
    measured: Measured = defaultdict(lambda: defaultdict(list))
    for contest in contests:
        _turn(contest, min(WARMING_SECONDS, seconds))
        measured[contest.task][contest.contestant] = []
    told("warmed up")
    for number in range(rounds):
        for contest in contests if number % 2 == 0 else reversed(contests):
            measured[contest.task][contest.contestant].append(_turn(contest, seconds))
        told(f"round {number + 1} of {rounds}")
    return {task: dict(rates) for task, rates in measured.items()}


def _turn(contest: Contest, seconds: float) -> Figures:
    try:
        return contest.turn(seconds)
    except Exception as error:
        error.add_note(f"while {contest.contestant} had its turn at: {contest.task}")
        raise


def ratios(some: Sequence[float], others: Sequence[float]) -> list[float]:
    """Compare figures round by round: those of a round were taken at about the same time."""
    return [one / other for one, other in zip(some, others, strict=True)]


def figures_of(turns: Sequence[Figures], name: str) -> list[float]:
    """Give one figure of each turn."""
    return [one[name] for one in turns]


def verdict(compared: Sequence[float], more: str, less: str) -> str:
    """Say whether ratios are above 1, below it, or neither for certain.

    A sign test: it is `more` or `less` where so many rounds agree as chance alone has agree in one of a hundred
    comparisons, which takes eight rounds at least.
    """
    above, below = (sum(one > 1 for one in compared), sum(one < 1 for one in compared))
    if 2 * _tail(len(compared), 0) > _CHANCE:
        return "too few rounds"
    if 2 * _tail(len(compared), len(compared) - max(above, below)) > _CHANCE:
        return "no difference beyond the spread"
    return more if above > below else less


def _tail(rounds: int, dissenting: int) -> float:
    """Give the probability that a fair coin falls on one side at most so many times."""
    return float(sum(comb(rounds, number) for number in range(dissenting + 1)) / 2**rounds)
