"""The four instants between which an expression starts and ends."""

from typing import NamedTuple

from service.dates.instants import AXIS_END, AXIS_START, DISTANT_FUTURE, DISTANT_PAST
from service.dates.spans import Span, existing, first_after, last_before
from service.dates.tree import DateSet, Edge, Interval, Member, Point, Range, Tree


class Bounds(NamedTuple):
    """Four instants: it starts somewhere in the first two, both included, and ends in the last two.

    An end is the first instant after; so what takes the shortest time there is ends a microsecond after its
    start. `DISTANT_PAST` and `DISTANT_FUTURE` stand for the infinities.
    """

    start_earliest: int
    start_latest: int
    end_earliest: int
    end_latest: int


def sometime_in(span: Span) -> Bounds:
    """Give the bounds of what happens at some time, for any length, within a span, cut to the axis.

    What reaches over an end of the axis reaches to infinity there. What lies wholly outside keeps a
    microsecond at that end: long before the axis is from -∞ to the end of the axis' first microsecond; long
    after it is from the axis' last microsecond to +∞. So it sorts first or last, and an open window finds it.
    """
    start, end = span
    past = start < AXIS_START
    return Bounds(
        DISTANT_PAST if past else min(start, AXIS_END),
        DISTANT_FUTURE if end - 1 > AXIS_END else max(end - 1, AXIS_START),
        DISTANT_PAST if past else DISTANT_FUTURE if start >= AXIS_END else start + 1,
        DISTANT_FUTURE if end > AXIS_END else max(end, AXIS_START + 1),
    )


def bounds_of(tree: Tree) -> Bounds:
    """Work out the bounds of a whole expression, every day of which exists."""
    if isinstance(tree, Interval):
        return _from_to(tree.start, tree.end)
    if isinstance(tree, DateSet):
        return _every(tree.members) if tree.every else _one_of(tree.members)
    return _of_point(tree)


def _of_point(point: Point) -> Bounds:
    return sometime_in(existing(point))


def _from_to(start: Point | Edge, end: Point | Edge) -> Bounds:
    """Give the bounds of what starts in one point and ends in another, some start before some end.

    An open edge is a certain infinity. An unknown one may lie anywhere that the other allows.
    """
    if isinstance(start, Edge):
        start_earliest = DISTANT_PAST
        start_latest = DISTANT_PAST if start is Edge.OPEN else DISTANT_FUTURE
    else:
        start_earliest, start_latest, _, _ = _of_point(start)
    if isinstance(end, Edge):
        end_earliest = DISTANT_FUTURE if end is Edge.OPEN else DISTANT_PAST
        end_latest = DISTANT_FUTURE
    else:
        _, _, end_earliest, end_latest = _of_point(end)
    if DISTANT_PAST < start_earliest >= end_earliest:
        end_earliest = _earliest_end(end, after=start_earliest)
    if start_latest >= end_latest < DISTANT_FUTURE:
        start_latest = _latest_start(start, before=end_latest)
    return Bounds(start_earliest, start_latest, end_earliest, end_latest)


def _earliest_end(end: Point | Edge, *, after: int) -> int:
    if after == AXIS_END:
        return DISTANT_FUTURE
    if isinstance(end, Edge):
        return after + 1
    return max(first_after(end, after).start, after) + 1


def _latest_start(start: Point | Edge, *, before: int) -> int:
    if isinstance(start, Edge):
        return before - 1
    return min(last_before(start, before).end, before) - 1


def _one_of(members: tuple[Member, ...]) -> Bounds:
    """Give the bounds of what happens in one of the members, no matter which."""
    start_earliest, start_latest, end_earliest, end_latest = zip(*map(_anywhere_in, members), strict=True)
    return Bounds(min(start_earliest), max(start_latest), min(end_earliest), max(end_latest))


def _anywhere_in(member: Member) -> Bounds:
    if not isinstance(member, Range):
        return _of_point(member)
    start = _of_point(member.first) if member.first else None
    end = _of_point(member.last) if member.last else None
    return Bounds(
        start.start_earliest if start else DISTANT_PAST,
        end.start_latest if end else DISTANT_FUTURE,
        start.end_earliest if start else DISTANT_PAST,
        end.end_latest if end else DISTANT_FUTURE,
    )


def _every(members: tuple[Member, ...]) -> Bounds:
    """Give the bounds of what begins with the first of the members and ends with the last, as they fall."""
    start_earliest, start_latest, end_earliest, end_latest = zip(*map(_throughout, members), strict=True)
    return Bounds(min(start_earliest), min(start_latest), max(end_earliest), max(end_latest))


def _throughout(member: Member) -> Bounds:
    if isinstance(member, Range):
        return _from_to(member.first or Edge.OPEN, member.last or Edge.OPEN)
    return _of_point(member)
