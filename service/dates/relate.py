"""How an expression lies to a window: certainly so, possibly, or not at all."""

from enum import StrEnum

from service.dates.bounds import Bounds
from service.dates.expression import Expression
from service.dates.instants import DISTANT_FUTURE, DISTANT_PAST
from service.dates.window import Window


class Relation(StrEnum):
    """What may be asked of an event's time and a window."""

    INTERSECTS = "intersects"
    WITHIN = "within"
    CONTAINS = "contains"
    BEFORE = "before"
    AFTER = "after"


class Answer(StrEnum):
    """How sure a relation is: for every date that the expression allows, for at least one, for none."""

    CERTAIN = "certain"
    POSSIBLE = "possible"
    IMPOSSIBLE = "impossible"


def relate(relation: Relation, event: Expression | Bounds, window: Window) -> Answer:
    """Answer whether an event intersects, is within, contains, is before or is after a window.

    An open end of the window imposes no condition, and nothing is before an open start or after an open end.
    Bounds alone are taken to have no gaps.

    The answers follow from the four instants in closed form. Where start and end range freely between them
    these are exact. With gaps, `intersects` is possible only if a piece meets the window, and, for a set of
    all members, certain only if a whole piece lies in it. `within` and `contains` regard the four instants,
    and a set of all members with gaps certainly contains nothing: what is certain is so, what is possible may yet be
    forbidden by a gap or by the length of a piece.
    """
    bounds = event.bounds if isinstance(event, Expression) else event
    match relation:
        case Relation.INTERSECTS:
            if isinstance(event, Expression) and (pieces := event.pieces) is not None:
                return _intersects_pieces(event, pieces, window)
            return _intersects(bounds, window)
        case Relation.WITHIN:
            return _within(bounds, window)
        case Relation.CONTAINS:
            answer = _contains(bounds, window)
            has_gaps = isinstance(event, Expression) and event.pieces is not None and event.every
            return Answer.POSSIBLE if has_gaps and answer is Answer.CERTAIN else answer
        case Relation.BEFORE:
            return _before(bounds, window)
        case Relation.AFTER:
            return _after(bounds, window)


def _answer(*, certain: bool, possible: bool) -> Answer:
    return Answer.CERTAIN if certain else Answer.POSSIBLE if possible else Answer.IMPOSSIBLE


def _intersects(event: Bounds, window: Window) -> Answer:
    # Not even an end at -∞ lies before an open start, though -∞ > -∞ is false.
    no_start, no_end = window.start == DISTANT_PAST, window.end == DISTANT_FUTURE
    return _answer(
        certain=(no_start or event.end_earliest > window.start) and (no_end or event.start_latest < window.end),
        possible=(no_start or event.end_latest > window.start) and (no_end or event.start_earliest < window.end),
    )


def _intersects_pieces(event: Expression, pieces: tuple[tuple[int, int], ...], window: Window) -> Answer:
    if event.every:
        certain = any(window.start <= start and end <= window.end for start, end in pieces)
    else:
        certain = _intersects(event.bounds, window) is Answer.CERTAIN
    return _answer(certain=certain, possible=any(end > window.start and start < window.end for start, end in pieces))


def _within(event: Bounds, window: Window) -> Answer:
    start, end = max(event.start_earliest, window.start), min(event.end_latest, window.end)
    return _answer(
        certain=event.start_earliest >= window.start and event.end_latest <= window.end,
        possible=start <= event.start_latest and event.end_earliest <= end and start < end,
    )


def _contains(event: Bounds, window: Window) -> Answer:
    return _answer(
        certain=event.start_latest <= window.start and event.end_earliest >= window.end,
        possible=event.start_earliest <= window.start and event.end_latest >= window.end,
    )


def _before(event: Bounds, window: Window) -> Answer:
    if window.start == DISTANT_PAST:
        return Answer.IMPOSSIBLE
    return _answer(certain=event.end_latest <= window.start, possible=event.end_earliest <= window.start)


def _after(event: Bounds, window: Window) -> Answer:
    if window.end == DISTANT_FUTURE:
        return Answer.IMPOSSIBLE
    return _answer(certain=event.start_earliest >= window.end, possible=event.start_latest >= window.end)
