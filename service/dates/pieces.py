"""The pieces of time that an expression with gaps leaves possible."""

from collections.abc import Iterable
from typing import Final

from service.dates.bounds import sometime_in
from service.dates.instants import DISTANT_FUTURE, DISTANT_PAST
from service.dates.spans import Span, existing, spans
from service.dates.tree import Date, DateSet, Member, Range, Tree

MOST_PIECES: Final = 64
_MOST_SPANS: Final = 128
"""Into how many spans an expression is taken apart before they are joined: a bound on the work."""

Piece = tuple[int, int]


def pieces_of(tree: Tree) -> tuple[Piece, ...] | None:
    """Work out the pieces of an expression: half-open, in order, apart from each other, at most 64.

    None means that there is no gap. More pieces than 64 are joined, over the shortest gap first, over the
    earlier of two that are equally long. An expression of more than 128 spans is first read more coarsely, as
    `spans` says. What is joined covers more, never less, than is possible.

    In a set of all members each piece holds a member for certain. So a member that is itself one of many
    dates, as in `{156X-12-25,1580}`, is one piece from its first day to its last; and a set that has such a
    member and no gap is a single piece instead of None, because it is no extent.
    """
    match tree:
        case DateSet(members, True):
            pieces = joined(_hull(member) for member in members)
            is_extent = not any(isinstance(member, Date) and member.is_one_of_many for member in members)
            return None if is_extent and len(pieces) == 1 else pieces
        case DateSet(members, _):
            pieces = joined(piece for member in members for piece in _taken_apart(member, len(members)))
        case Date():
            pieces = joined(_taken_apart(tree, 1))
        case _:
            return None
    return None if len(pieces) == 1 else pieces


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Put pieces in order and join those that touch or overlap, then the nearest until 64 are left."""
    apart: list[Piece] = []
    for start, end in sorted(pieces):
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    surplus = len(apart) - MOST_PIECES
    if surplus <= 0:
        return tuple(apart)
    # Gap n is the one before piece n; sorting is stable, so that the earlier of equal gaps comes first.
    nearest = sorted(range(1, len(apart)), key=lambda n: apart[n][0] - apart[n - 1][1])
    gaps = sorted(nearest[surplus:])
    starts = [apart[n][0] for n in (0, *gaps)]
    ends = [apart[n - 1][1] for n in (*gaps, len(apart))]
    return tuple(zip(starts, ends, strict=True))


def _hull(member: Member) -> Piece:
    """Give the stretch of time that a member of a set may take, cut to the axis."""
    if isinstance(member, Range):
        first, last = member.first, member.last
        start = sometime_in(existing(first)).start_earliest if first else DISTANT_PAST
        end = sometime_in(existing(last)).end_latest if last else DISTANT_FUTURE
        return start, end
    return _cut(existing(member))


def _taken_apart(member: Member, sharers: int) -> list[Piece]:
    """List the pieces of a member of a set, which shares the work with as many others as there are."""
    if isinstance(member, Range):
        return [_hull(member)]
    return [_cut(span) for span in spans(member, max(1, _MOST_SPANS // sharers))]


def _cut(span: Span) -> Piece:
    bounds = sometime_in(span)
    return bounds.start_earliest, bounds.end_latest
