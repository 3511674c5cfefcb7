"""What changed between two instants of the reported clock, as a newsroom's morning summary."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from pydantic import Field

from service.dates import describe, parse
from service.wire.event import Event, Status
from service.wire.values import Answer, StoredEdtf, StoredInstant, Title

_CALLED_OFF = ("cancelled", "postponed")
# Kinds of change that a `status_reason` is given for.
_REASONED = ("moved", "called_off", "confirmed", "reinstated")


class Standing(Answer):
    """How an event stood."""

    when: StoredEdtf = Field(description="Its date.")
    status: Status


class Changed(Answer):
    """An event that stands otherwise than before."""

    event: UUID = Field(description="The event's identity.")
    title: Title = Field(description="What it is, in a line.")
    now: Standing | None = Field(description="How it stands at the later instant; `null` for one that was withdrawn.")
    before: Standing | None = Field(description="How it stood at the earlier; `null` for one that was not known.")
    reason: str | None = Field(description="Why, where a reason came along.")


class Comparison(Answer):
    """What was added, moved, called off, confirmed, reinstated, withdrawn or otherwise amended in between.

    An event that was moved and confirmed at once stands in both lists.
    """

    from_: StoredInstant = Field(alias="from", description="The earlier instant.")
    to: StoredInstant = Field(description="The later instant.")
    added: list[Changed] = Field(description="Not known before.")
    moved: list[Changed] = Field(description="Of another date.")
    called_off: list[Changed] = Field(description="Cancelled, or postponed without a new date.")
    confirmed: list[Changed] = Field(description="Now occurred, or planned where it was tentative.")
    reinstated: list[Changed] = Field(description="No longer called off.")
    withdrawn: list[Changed] = Field(description="Deleted.")
    amended: list[Changed] = Field(description="Otherwise than all these.")
    more: bool = Field(description="Whether more changed than one answer holds: ask for a shorter time.")


HEADINGS = {
    "added": "Added",
    "moved": "Moved",
    "called_off": "Called off",
    "confirmed": "Confirmed",
    "reinstated": "Back on",
    "withdrawn": "Withdrawn",
    "amended": "Otherwise amended",
}


def kinds_of_change(before: Event | None, now: Event | None) -> list[str]:
    """Name the lists that a change belongs to; none where nothing was known before or after."""
    if before is None:
        return [] if now is None else ["added"]
    if now is None:
        return ["withdrawn"]
    kinds = []
    if parse(before.when) != parse(now.when):
        kinds.append("moved")
    if before.status != now.status:
        if now.status in _CALLED_OFF:
            kinds.append("called_off")
        elif now.status == "occurred" or (before.status, now.status) == ("tentative", "planned"):
            kinds.append("confirmed")
        elif before.status in _CALLED_OFF:
            kinds.append("reinstated")
    return kinds or ["amended"]


def compare(
    start: str, end: str, pairs: Iterable[tuple[Event | None, Event | None, str | None]], *, more: bool
) -> Comparison:
    """Sort events that were known otherwise at `start` than at `end` into what became of them.

    A pair is the event as known before and after, and the reason given for the change.
    """
    lists: dict[str, list[Changed]] = {name: [] for name in HEADINGS}
    for before, now, reason in pairs:
        shown = now or before
        for kind in kinds_of_change(before, now):
            assert shown is not None  # noqa: S101  # or there were no kind
            # a later word on something else does not take away why the event stands so
            why = reason or (now.status_reason if now is not None and kind in _REASONED else None)
            changed = Changed(
                event=shown.id, title=shown.title, now=_standing(now), before=_standing(before), reason=why
            )
            lists[kind].append(changed)
    return Comparison.model_validate({"from": start, "to": end, "more": more} | lists)


def _standing(event: Event | None) -> Standing | None:
    return None if event is None else Standing(when=event.when, status=event.status)


def summary(comparison: Comparison) -> str:
    """Write the comparison as plain text, a heading for each kind of change that there was."""
    lines = [f"What changed between {comparison.from_} and {comparison.to}"]
    for name, heading in HEADINGS.items():
        found: list[Changed] = getattr(comparison, name)
        if found:
            lines += ["", heading, *(_line(one, name) for one in found)]
    if len(lines) == 1:
        lines += ["", "Nothing."]
    if comparison.more:
        lines += ["", "There is more; ask for a shorter time."]
    return "\n".join(lines) + "\n"


def _line(changed: Changed, kind: str) -> str:
    standing = changed.now or changed.before
    assert standing is not None  # noqa: S101  # an event stands before or after, or it had not changed
    words = [f"{changed.title}: {describe(parse(standing.when))}, {standing.status}"]
    if changed.before is not None and changed.now is not None:
        if kind == "moved":
            words.append(f"was {describe(parse(changed.before.when))}")
        elif changed.before.status != changed.now.status:
            words.append(f"was {changed.before.status}")
    if changed.reason:
        words.append(changed.reason)
    return "- " + "; ".join(words)
