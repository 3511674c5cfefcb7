"""What an expression may mean, one by one: the yardstick of the closed forms, sharing no code with them.

A *unit* is a stretch in which, if a date means it, something happens at some time: the day 2013-02-25, the month
2013-02. An *occurrence* is one start and one end. All units of a date are listed, digit by digit; of starts and
ends in a unit those that a window could tell apart are tried: its edges, the window's edges, a microsecond to
either side.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from service.dates import DISTANT_FUTURE, DISTANT_PAST, Relation, Window
from service.dates.traits import dates_of
from service.dates.tree import Date, DateSet, Edge, Interval, Moment, Point, Range, Tree, Year

Unit = tuple[int, int]
Occurrence = tuple[int, int]

_MOST_UNKNOWN_DIGITS: Final = 2
_DAY: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SEASONS: Final = {
    **dict.fromkeys(("21", "25", "31"), (3, 3)),
    **dict.fromkeys(("22", "26", "32"), (6, 3)),
    **dict.fromkeys(("23", "27", "29"), (9, 3)),
    **dict.fromkeys(("24", "28", "30"), (12, 3)),
    **{str(33 + number): (1 + 3 * number, 3) for number in range(4)},
    **{str(37 + number): (1 + 4 * number, 4) for number in range(3)},
    **{str(40 + number): (1 + 6 * number, 6) for number in range(2)},
}


def midnight(year: int, month: int, day: int) -> int:
    """The start of a day, by the datetime library: the calendar repeats itself after 400 years."""
    cycles, inside = divmod(year, 400)
    return (date(inside + 400, month, day).toordinal() + (cycles - 1) * 146_097 - _EPOCH) * _DAY


def _month_start(year: int, month: int) -> int:
    return midnight(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _expanded(mask: str) -> list[str]:
    return ["".join(digits) for digits in itertools.product(*("0123456789" if x == "X" else x for x in mask))]


def _years(year: Year) -> list[int]:
    if year.significant:
        known = int(year.significant)
        texts = _expanded(year.digits[:known] + "X" * (len(year.digits) - known))
    else:
        texts = _expanded(year.digits)
    numbers = [int(text) for text in texts if not (year.negative and int(text) == 0)]
    return [-number for number in numbers] if year.negative else numbers


def is_countable(tree: Tree) -> bool:
    """Whether the units of an expression are on the axis, and so few that all may be tried."""
    return all(
        _unknown_digits(when) <= _MOST_UNKNOWN_DIGITS and not (when.year.negative and _highest(when.year) > 4712)
        for when in dates_of(tree)
    )


def _highest(year: Year) -> int:
    known = int(year.significant or len(year.digits))
    return int(year.digits[:known].replace("X", "9").ljust(len(year.digits), "9"))


def _unknown_digits(when: Date) -> int:
    significant = when.year.significant
    insignificant = len(when.year.digits) - int(significant) if significant else 0
    return insignificant + (when.year.digits + when.month + when.day).count("X")


def units(point: Point) -> list[Unit]:
    """All units that a point may mean, in order; none if there is no such day."""
    if isinstance(point, Moment):
        found = units(point.date)
        hours, minutes, seconds = (int(part) for part in point.clock.split(":"))
        second = (hours * 3600 + minutes * 60 + seconds - _shift_seconds(point.shift)) * 1_000_000
        return [(start + second, start + second + 1_000_000) for start, _ in found]
    found = []
    for year in _years(point.year):
        if not point.month:
            found.append((midnight(year, 1, 1), midnight(year + 1, 1, 1)))
        elif point.month in _SEASONS:
            first, length = _SEASONS[point.month]
            found.append((_month_start(year, first), _month_start(year, first + length)))
        else:
            found += _units_in(year, point.month, point.day)
    return sorted(found)


def _units_in(year: int, month_mask: str, day_mask: str) -> Iterator[Unit]:
    for month in range(1, 13):
        if f"{month:02d}" not in _expanded(month_mask):
            continue
        if not day_mask:
            yield _month_start(year, month), _month_start(year, month + 1)
            continue
        for text in _expanded(day_mask):
            start = _month_start(year, month) + (int(text) - 1) * _DAY
            if _month_start(year, month) <= start < _month_start(year, month + 1):
                yield start, start + _DAY


def _shift_seconds(shift: str) -> int:
    if shift in ("", "Z"):
        return 0
    hours, _, minutes = shift[1:].partition(":")
    return (int(hours) * 3600 + int(minutes or 0) * 60) * (-1 if shift[0] == "-" else 1)


def exists(tree: Tree) -> bool:
    """Whether every date has a day, and every start can lie before its end."""
    match tree:
        case Interval(start, end):
            return _fit(start, end)
        case DateSet(members, _):
            return all(
                _fit(member.first, member.last) if isinstance(member, Range) else bool(units(member))
                for member in members
            )
        case _:
            return bool(units(tree))


def _fit(start: Point | Edge | None, end: Point | Edge | None) -> bool:
    starts = [] if start is None or isinstance(start, Edge) else [units(start)]
    ends = [] if end is None or isinstance(end, Edge) else [units(end)]
    if not all(starts + ends):
        return False
    return not (starts and ends) or starts[0][0][0] < max(stop for _, stop in ends[0])


@dataclass(frozen=True)
class Meaning:
    """All that an expression may mean.

    Attributes:
        choices: For each member that happens, the units of which it takes one. A single one but for a set of all.
        starts: For each member, the units in one of which it starts.
        ends: For each member, the units in one of which it ends.
        is_extent: Whether what happens lasts from the first of `starts` chosen to the last of `ends` chosen; else
            it happens within the unit chosen.
    """

    choices: tuple[tuple[Unit, ...], ...]
    starts: tuple[tuple[Unit, ...], ...]
    ends: tuple[tuple[Unit, ...], ...]
    is_extent: bool


_NEVER_BEGUN: Final = ((DISTANT_PAST, DISTANT_PAST + 1),)
_NEVER_ENDED: Final = ((DISTANT_FUTURE - 1, DISTANT_FUTURE),)
_ANY_TIME: Final = ((DISTANT_PAST, DISTANT_FUTURE),)


def meaning_of(tree: Tree) -> Meaning:
    """Work out what a valid expression may mean."""
    match tree:
        case Interval(start, end):
            starts, ends = _span(start, end)
            return Meaning((), (starts,), (ends,), is_extent=True)
        case DateSet(members, True):
            choices = tuple(tuple(_every_unit(member)) for member in members)
            spans = [
                _span(member.first or Edge.OPEN, member.last or Edge.OPEN)
                if isinstance(member, Range)
                else (tuple(units(member)),) * 2
                for member in members
            ]
            is_vague = any(isinstance(member, Date) and _is_vague(member) for member in members)
            is_extent = not is_vague and len(runs(itertools.chain(*choices))) == 1
            all_starts, all_ends = tuple(starts for starts, _ in spans), tuple(ends for _, ends in spans)
            return Meaning(choices, all_starts, all_ends, is_extent=is_extent)
        case DateSet(members, _):
            found = tuple(unit for member in members for unit in _every_unit(member))
        case _:
            found = tuple(units(tree))
    return Meaning((found,), (found,), (found,), is_extent=False)


def _is_vague(when: Date) -> bool:
    return "X" in str(when) or bool(when.year.significant)


def _edge(edge: Point | Edge, unless_known: tuple[Unit, ...]) -> tuple[Unit, ...]:
    if isinstance(edge, Edge):
        return unless_known if edge is Edge.OPEN else _ANY_TIME
    return tuple(units(edge))


def _span(start: Point | Edge, end: Point | Edge) -> tuple[tuple[Unit, ...], tuple[Unit, ...]]:
    """The units in one of which something starts, and in one of which it ends, not before it starts."""
    starts, ends = _edge(start, _NEVER_BEGUN), _edge(end, _NEVER_ENDED)
    first, last = starts[0][0], max(stop for _, stop in ends)
    return (
        tuple((begin, min(stop, last)) for begin, stop in starts if begin < last),
        tuple((max(begin, first), stop) for begin, stop in ends if stop > first),
    )


def _every_unit(member: Point | Range) -> list[Unit]:
    """The units of a member; a range is one long unit, for it says nothing of what happens in it when."""
    if not isinstance(member, Range):
        return units(member)
    start = units(member.first)[0][0] if member.first else DISTANT_PAST
    end = max(stop for _, stop in units(member.last)) if member.last else DISTANT_FUTURE
    return [(start, end)]


def runs(found: Iterable[Unit]) -> list[Unit]:
    """Units joined where they touch or overlap."""
    joined: list[Unit] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _starts(found: Iterable[Unit], window: Window) -> set[int]:
    near = {edge + step for edge in window for step in (-1, 0)}
    return {instant for start, end in found for instant in {start, end - 1, *near} if start <= instant < end}


def _ends(found: Iterable[Unit], window: Window) -> set[int]:
    near = {edge + step for edge in window for step in (0, 1)}
    return {instant for start, end in found for instant in {start + 1, end, *near} if start < instant <= end}


def _occurrences(unit: Unit, window: Window) -> Iterator[Occurrence]:
    ends = _ends((unit,), window)
    return ((start, end) for start in _starts((unit,), window) for end in ends if start < end)


def _wholes(meaning: Meaning, window: Window) -> Iterator[Occurrence]:
    """The whole from the first start to the last end, each way that it may be."""
    if not meaning.is_extent and len(meaning.choices) == 1:
        for unit in meaning.choices[0]:
            yield from _occurrences(unit, window)
        return
    starts, ends = _extremes(meaning, window)
    yield from ((start, end) for start in starts for end in ends if start < end)


def _extremes(meaning: Meaning, window: Window) -> tuple[set[int], set[int]]:
    """The first of one start for each member, and the last of one end for each, for all ways to take them."""
    starts = [_starts(found, window) for found in meaning.starts]
    ends = [_ends(found, window) for found in meaning.ends]
    return (
        {first for first in set.union(*starts) if all(max(member) >= first for member in starts)},
        {last for last in set.union(*ends) if all(min(member) <= last for member in ends)},
    )


def truths(meaning: Meaning, relation: Relation, window: Window) -> tuple[bool, bool]:
    """Whether a relation holds in every way that the expression may be, and whether in some way."""
    if relation is Relation.INTERSECTS and not meaning.is_extent:
        # Each member takes its unit and its occurrence there for itself: all ways are true exactly if
        # for some member all are.
        each = [
            [_holds(relation, occurrence, window) for unit in choice for occurrence in _occurrences(unit, window)]
            for choice in meaning.choices
        ]
        return any(map(all, each)), any(map(any, each))
    answers = [_holds(relation, occurrence, window) for occurrence in _wholes(meaning, window)]
    return all(answers), any(answers)


def _holds(relation: Relation, occurrence: Occurrence, window: Window) -> bool:
    (start, end), (opening, close) = occurrence, window
    match relation:
        case Relation.INTERSECTS:
            return end > opening and start < close
        case Relation.WITHIN:
            return start >= opening and end <= close
        case Relation.CONTAINS:
            return start <= opening and end >= close
        case Relation.BEFORE:
            return end <= opening
        case Relation.AFTER:
            return start >= close
