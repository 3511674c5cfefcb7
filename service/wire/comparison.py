"""What changed between two instants of the reported clock, as a newsroom's morning summary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from pydantic import Field

from service.dates import describe, parse
from service.wire.event import Status
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
    """A page of what was added, moved, called off, confirmed, reinstated, withdrawn or otherwise amended in between.

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
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")


HEADINGS = {
    "added": "Added",
    "moved": "Moved",
    "called_off": "Called off",
    "confirmed": "Confirmed",
    "reinstated": "Back on",
    "withdrawn": "Withdrawn",
    "amended": "Otherwise amended",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """An event as it was known at two instants, None where it was not: its title, and the reason given in between."""

    event: UUID
    title: str
    before: Standing | None
    now: Standing | None
    reason: str | None
    status_reason: str | None


def kinds_of_change(before: Standing | None, now: Standing | None) -> list[str]:
    """Name the lists that a change belongs to; none where nothing was known before or after."""
    if before is None:
        return [] if now is None else ["added"]
    if now is None:
        return ["withdrawn"]
    kinds = []
    if before.when != now.when and parse(before.when) != parse(now.when):
        kinds.append("moved")
    if before.status != now.status:
        if now.status in _CALLED_OFF:
            kinds.append("called_off")
        elif now.status == "occurred" or (before.status, now.status) == ("tentative", "planned"):
            kinds.append("confirmed")
        elif before.status in _CALLED_OFF:
            kinds.append("reinstated")
    return kinds or ["amended"]


def sort_out(pairs: Iterable[Pair]) -> dict[str, list[Changed]]:
    """Sort events that were known otherwise at one instant than at another into what became of them."""
    lists: dict[str, list[Changed]] = {name: [] for name in HEADINGS}
    for one in pairs:
        for kind in kinds_of_change(one.before, one.now):
            # a later word on something else does not take away why the event stands so
            why = one.reason or (one.status_reason if kind in _REASONED else None)
            changed = Changed(event=one.event, title=one.title, now=one.now, before=one.before, reason=why)
            lists[kind].append(changed)
    return lists


class Summary:
    """The comparison as plain text, made part by part: a heading for each kind of change that there was."""

    def __init__(self, start: str, end: str) -> None:
        self.beginning = f"What changed between {start} and {end}\n"
        self._kind: str | None = None

    def part(self, kind: str, changed: Iterable[Changed]) -> str:
        """Write some changes of a kind; the kinds come one after the other."""
        lines = "".join(f"{_line(one, kind)}\n" for one in changed)
        if not lines or kind == self._kind:
            return lines
        self._kind = kind
        return f"\n{HEADINGS[kind]}\n{lines}"

    @property
    def end(self) -> str:
        """Say so where nothing changed."""
        return "\nNothing.\n" if self._kind is None else ""


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
