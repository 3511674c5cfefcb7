"""Draws among weighted prizes, and words that look like a language's."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

Prize = TypeVar("Prize")

_CONSONANTS, _VOWELS = "bdklmnrstv", "aeo"
_SYLLABLES = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]


class Lottery(Generic[Prize]):
    """A draw among weighted prizes."""

    def __init__(self, prizes: Sequence[Prize], weights: Sequence[float]) -> None:
        self._prizes = prizes
        self._bounds = list(accumulate(weights))

    def draw(self, chance: Random) -> Prize:
        """Draw one."""
        return self._prizes[bisect(self._bounds, chance.random() * self._bounds[-1])]


def skewed(prizes: Sequence[Prize], exponent: float = 1.0) -> Lottery[Prize]:
    """Make a draw in which the first is the likeliest and the n-th as likely as n to the -exponent (Zipf)."""
    return Lottery(prizes, [1 / (rank + 1) ** exponent for rank in range(len(prizes))])


def made_up_words(count: int, seed: int) -> list[str]:
    """Make up different words of three to five syllables."""
    chance = Random(seed)  # noqa: S311  # repeatable, not secret
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(chance.choices(_SYLLABLES, k=chance.randint(3, 5)))] = None
    return list(words)
