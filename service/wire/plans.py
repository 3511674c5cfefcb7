"""Plans and what became of them: how often and how far a planned event was moved, and how past plans ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from uuid import UUID

from pydantic import Field

from service.dates import DISTANT_FUTURE, DISTANT_PAST, parse
from service.wire.event import Status
from service.wire.values import Answer, Phrase, StoredEdtf, Title

PlanState = Literal["open", "overdue", "ended"]

_DAY = 86_400_000_000


class Slippage(Answer):
    """By how many days a date was moved: its earliest and its latest start; `null` where one has none."""

    earliest_days: float | None = Field(description="How much later the earliest start is; earlier is below 0.")
    latest_days: float | None = Field(description="How much later the latest start is; earlier is below 0.")


class Plan(Answer):
    """A plan: its first date, its present one, and how it came from the one to the other."""

    event: UUID = Field(description="The event's identity.")
    title: Title = Field(description="What it is, in a line.")
    status: Status
    status_reason: Phrase | None = Field(description="Why the status, or the date, is what it is now.")
    first: StoredEdtf = Field(description="The date that it was first known to have.")
    when: StoredEdtf = Field(description="The date that it has now.")
    moves: int = Field(description="How often the date changed by which it was known.")
    slippage: Slippage
    overdue: bool = Field(description="Whether it is planned or tentative still, though its latest end has passed.")


class Outcomes(Answer):
    """How many events that were once planned or tentative stand how now."""

    planned: int = Field(description="Planned still, overdue ones among them.")
    tentative: int = Field(description="Tentative still, overdue ones among them.")
    overdue: int = Field(description="Planned or tentative still, though the latest end has passed.")
    occurred: int = Field(description="Occurred.")
    postponed: int = Field(description="Postponed, without a new date.")
    cancelled: int = Field(description="Cancelled.")


class PlanPage(Answer):
    """A page of plans, in the order of their dates, and how all plans of the timeline ended."""

    items: list[Plan] = Field(description="The plans of this page.")
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")
    outcomes: Outcomes | None = Field(description="Of the whole timeline, on the first page; `null` on later ones.")


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An event that is or was planned, as it stands, and the dates by which it was known, one after the other."""

    event: UUID
    title: str
    status: Status
    status_reason: str | None
    when: str
    overdue: bool
    dates: Sequence[str] | None


def plan_of(one: Scheduled) -> Plan:
    """Say what became of a planned event."""
    dates = one.dates or [one.when]
    return Plan(
        event=one.event,
        title=one.title,
        status=one.status,
        status_reason=one.status_reason,
        first=dates[0],
        when=one.when,
        moves=sum(parse(former) != parse(date) for former, date in pairwise(dates)),
        slippage=_slippage(dates[0], one.when),
        overdue=one.overdue,
    )


def _slippage(first: str, now: str) -> Slippage:
    before, after = parse(first).bounds, parse(now).bounds
    return Slippage(
        earliest_days=_days(before.start_earliest, after.start_earliest),
        latest_days=_days(before.start_latest, after.start_latest),
    )


def _days(before: int, after: int) -> float | None:
    if {before, after} & {DISTANT_PAST, DISTANT_FUTURE}:
        return None
    return (after - before) / _DAY
