"""Where in the order of `start_earliest` the answer to a window lies, in numbers.

What begins inside a window follows its start in that order. What already runs when it opens may have begun
at any time before, but nothing of reach r begins earlier than the longest event of that reach would have to.
Hence each reach has a floor of its own, and between floor and end little stands that does not belong there.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.dates import AXIS_END, AXIS_START, DISTANT_FUTURE, DISTANT_PAST, Answer, Relation, Window
from service.tables import REACH_DAYS, REACHES

_DAY = 86_400_000_000  # in microseconds


@dataclass(frozen=True, slots=True)
class Extent:
    """What any answer satisfies: `first <= start_earliest <= last` and `end_latest > runs_past`.

    The last bound is finite where a window asks for something, since ∞ cannot be counted from.
    """

    first: int
    last: int
    runs_past: int

    def floors(self) -> list[int]:
        """Give the earliest start of an answer for each reach, from the shortest to the one without end."""
        reaching = [self._floor(days * _DAY) for days in REACH_DAYS]
        return reaching + [self.first] * (len(REACHES) - len(reaching))

    def _floor(self, longest: int) -> int:
        floor = self.runs_past - longest + 1
        return max(self.first, floor) if floor > AXIS_START else self.first


EVERYWHERE = Extent(DISTANT_PAST, AXIS_END, DISTANT_PAST)
_NOWHERE = Extent(DISTANT_PAST, DISTANT_PAST, AXIS_END)


def extent(window: Window | None, relation: Relation, certainty: Answer) -> Extent:
    """Say where events may stand in this relation to the window; everywhere without a window."""
    if window is None:
        return EVERYWHERE
    # what an event must not begin after, or must run past to be there when the window ends
    start, end = window.start, min(window.end - 1, AXIS_END)
    is_certain = certainty is Answer.CERTAIN
    match relation:
        case Relation.WITHIN if is_certain:
            place = Extent(start, end, start)
        case Relation.INTERSECTS | Relation.WITHIN:
            place = Extent(DISTANT_PAST, end, start)
        case Relation.CONTAINS:
            place = Extent(DISTANT_PAST, start, end)
        case Relation.BEFORE:
            place = _NOWHERE if start == DISTANT_PAST else Extent(DISTANT_PAST, start - 1, DISTANT_PAST)
        case _:
            first = window.end if is_certain else DISTANT_PAST
            place = _NOWHERE if window.end == DISTANT_FUTURE else Extent(first, AXIS_END, window.end)
    return place
