"""What this service is to be held to: ratios within one run, and the bounds that they should keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bench.contest import (
    BUILDING,
    CONSTANT,
    COPY,
    DATABASE,
    EXPORT,
    MANY,
    OURS,
    PAST,
    PRESENT,
    UNCHANGED,
    YARDSTICK,
)
from bench.turns import Measured, Spread, figures_of, ratios

_ONE, _PAGE, _MONTH = "one event", "page of 50, anywhere", "page of 50, a month"
EXPORT_LIMIT_BYTES = 200 * 1000 * 1000


class Place(NamedTuple):
    """Where a figure stands among those measured."""

    task: str
    contestant: str
    name: str = "per_second"


class Target(NamedTuple):
    """A ratio of two figures of each round, and what it should be at least, or at most."""

    title: str
    figure: Place
    beside: Place
    bound: float
    is_least: bool = True


class Held(NamedTuple):
    """A target, and how it came out."""

    title: str
    ratio: Spread
    bound: float
    is_least: bool
    by_processor: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the median keeps the bound."""
        return self.ratio.median >= self.bound if self.is_least else self.ratio.median <= self.bound

    @property
    def wish(self) -> str:
        """The bound in words."""
        return f"{'at least' if self.is_least else 'at most'} {self.bound:g}"

    @property
    def margin(self) -> Spread:
        """How many times better than the bound it is."""
        parts = [one / self.bound if self.is_least else self.bound / one for one in self.ratio]
        return Spread(parts[0], min(parts), max(parts))


TARGETS = (
    Target(f"{_PAGE}, of pgbench with stored documents", Place(_PAGE, OURS), Place(_PAGE, DATABASE), 0.65),
    Target(f"{_MONTH}, of pgbench with stored documents", Place(_MONTH, OURS), Place(_MONTH, DATABASE), 0.65),
    Target(f"{_PAGE}, of pgbench that builds it", Place(_PAGE, OURS), Place(_PAGE, BUILDING), 1.4),
    Target(f"{_PAGE}, of the idiomatic way", Place(_PAGE, OURS), Place(_PAGE, YARDSTICK), 8),
    Target(f"{_ONE}, of a constant", Place(_ONE, OURS), Place(_ONE, CONSTANT), 0.45),
    Target(f"{_ONE}{UNCHANGED} (304), of a constant", Place(_ONE + UNCHANGED, OURS), Place(_ONE, CONSTANT), 0.6),
    *(
        Target(
            f"{task}{MANY}: p99 of the median",
            Place(task + MANY, OURS, "p99_ms"),
            Place(task + MANY, OURS, "median_ms"),
            5,
            is_least=False,
        )
        for task in (_ONE, _PAGE)
    ),
    Target(f"{EXPORT}, of COPY of the documents", Place(EXPORT, OURS), Place(EXPORT, COPY), 0.5),
)
KNOWN_BOUND = 2.5


def list_held(figures: Mapping[str, Any]) -> Iterator[Held]:
    """Yield the targets of which something was measured."""
    measured: Measured = figures["rates"] | figures["exports"]
    for target in TARGETS:
        some, others = (_figures(measured, place) for place in (target.figure, target.beside))
        if some and others:
            ratio = Spread.of(ratios(some, others))
            yield Held(target.title, ratio, target.bound, target.is_least, _by_processor(measured, target))
    known = list_known(figures["known_at"])
    if known:
        title, dearest = max(known.items(), key=lambda item: item[1].median)
        yield Held(f"as known then, times as dear: {title}", dearest, KNOWN_BOUND, is_least=False)


def list_known(measured: Measured) -> dict[str, Spread]:
    """Tell how many times as dear each question of the past is as the same of the present."""
    return {
        task: Spread.of(ratios(figures_of(rates[PRESENT], "per_second"), figures_of(rates[PAST], "per_second")))
        for task, rates in measured.items()
    }


def _by_processor(measured: Measured, target: Target) -> float | None:
    """Compare the processor time of an answer, the database's included: what the rates' ratio is but for the clients.

    It hardly depends on what else the machine does.
    """
    taken = []
    for place in (target.beside, target.figure):
        turns = measured[place.task][place.contestant]
        sums = [one.get("server_cpu_ms", 0.0) + one.get("database_cpu_ms", 0.0) for one in turns]
        if place.name != "per_second" or not all(sums):
            return None
        taken.append(sums)
    return Spread.of(ratios(*taken)).median


def _figures(measured: Measured, place: Place) -> list[float]:
    return figures_of(measured.get(place.task, {}).get(place.contestant, []), place.name)
