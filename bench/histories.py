"""Made-up histories: an event's states as the world learned of them, each known until the next report.

A date moves by days, a status changes, a topic or kind is corrected; some are deleted, and most of those
come back. Texts and names stay, and with them what is searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, cast

from bench.chance import Lottery
from bench.events import SEED, draw_kind, draw_topic, made_up_events
from service.dates import DISTANT_FUTURE, format_instant, parse, parse_instant
from service.store.placement import Recorded, Span, spans
from service.wire.date import bounds_answer
from service.wire.event import Event, Former

STATES = 5
_HOUR, _DAY = 3_600_000_000, 86_400_000_000  # in microseconds
_LONGEST_DAYS = 200  # between two reports
_CALENDAR = (date(1, 3, 1).toordinal(), date(9999, 10, 1).toordinal())
_UNIX_EPOCH = date(1970, 1, 1).toordinal()

_STEPS = Lottery(("moved", "status", "topics", "kind"), (45, 30, 15, 10))
_STATUSES = Lottery(("occurred", "planned", "tentative", "postponed", "cancelled"), (50, 20, 10, 10, 10))
_REASONS = ("the hosts asked for it", "neither side agreed", "an error of the first report", None)
_DELETED_BEFORE_LAST, _DELETED_AT_LAST = 0.01, 0.005


@dataclass(frozen=True, slots=True)
class State:
    """A state: from when until when it is known, why it was written, and its document; a tombstone has none."""

    version: int
    span: Span
    reason: str | None
    document: Event | None


def made_up_histories(timeline: str, chunk: int, count: int) -> Iterator[list[State]]:
    """Make up the histories of the first `count` events of a chunk, each in the order of its reports."""
    chance = Random(f"{SEED} {timeline} {chunk} states")  # noqa: S311  # repeatable, not secret
    for first in made_up_events(timeline, chunk, count):
        yield _history(chance, first)


def only_state(document: Event) -> State:
    """Give the only state of an event that has no history."""
    return State(
        document.version, Span(document.version, parse_instant(document.reported_at), DISTANT_FUTURE), None, document
    )


def _history(chance: Random, first: Event) -> list[State]:
    at = parse_instant(first.reported_at)
    document = first
    written: list[tuple[int, str | None, Event | None]] = [(at, None, first)]
    for version in range(2, STATES + 1):
        at += chance.randint(_HOUR, _LONGEST_DAYS * _DAY)
        share = {STATES - 1: _DELETED_BEFORE_LAST, STATES: _DELETED_AT_LAST}.get(version, 0)
        if chance.random() < share:
            written.append((at, None, None))
            continue
        reason = chance.choice(_REASONS)
        document = _next(chance, document, version, cast("str", format_instant(at)), reason)
        written.append((at, reason, document))
    known = spans(Recorded(version, at, supersedes=False) for version, (at, _, _) in enumerate(written, start=1))
    return [
        State(version, known[version], reason, state) for version, (_, reason, state) in enumerate(written, start=1)
    ]


def _next(chance: Random, before: Event, version: int, at: str, reason: str | None) -> Event:
    """Make the next state, as the service would compose it."""
    changed: dict[str, Any] = {"version": version, "reported_at": at, "recorded_at": at}
    step = _STEPS.draw(chance)
    moved = _moved(chance, before) if step == "moved" else None
    match step:
        case "moved" if moved is not None:
            expression = parse(moved)
            former = Former(when=before.when, reported_at=before.reported_at, reason=reason)
            changed |= {
                "when": moved,
                "precision": expression.precision,
                "approximate": expression.approximate,
                "uncertain": expression.uncertain,
                "bounds": bounds_answer(expression.bounds),
                "status_reason": None,
                "previously": [former, *before.previously],
            }
        case "topics":
            changed["topics"] = list(dict.fromkeys([*before.topics[:1], draw_topic(chance)]))
        case "kind":
            changed["kind"] = draw_kind(chance)
        case _:
            changed |= {"status": _STATUSES.draw(chance), "status_reason": reason}
    return before.model_copy(update=changed)


def _moved(chance: Random, before: Event) -> str | None:
    """Give another day some weeks off; None where the event begins beyond the calendar."""
    start = parse(before.when).bounds.start_earliest // _DAY + _UNIX_EPOCH
    if not _CALENDAR[0] < start < _CALENDAR[1]:
        return None
    return (date.fromordinal(start) + timedelta(days=chance.choice((-1, 1)) * chance.randint(1, 60))).isoformat()
