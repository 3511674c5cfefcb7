"""The states of an event, what changed between two of them, and which claims contradict one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from service.dates import parse
from service.wire.event import Event
from service.wire.values import Answer, Recorded, StoredInstant

# What every write sets anew: it says when and as which version something was written, not what was.
OF_EVERY_WRITE = frozenset({"version", "reported_at", "recorded_at"})


class Known(Answer):
    """From when until when a state was known: half-open."""

    from_: StoredInstant = Field(alias="from", description="The first instant at which it was known.")
    to: StoredInstant | None = Field(description="The first at which it no longer was; `null` for what is known now.")


class PatchOperation(Answer):
    """One step from the state before to this one (JSON Patch, RFC 6902)."""

    op: Literal["add", "remove", "replace"] = Field(description="What to do.")
    path: str = Field(description="Where, as a JSON Pointer (RFC 6901).", examples=["/status"])
    value: Any = Field(None, description="What stands there then; absent where it is removed.")


class Conflict(Answer):
    """A claim that asserts another status than the state has, or a date that excludes the state's."""

    claim: UUID = Field(description="The claim's identity.")
    member: Literal["status", "when"] = Field(description="What they disagree about.")
    asserted: str = Field(description="What the claim says.", examples=["planned"])
    recorded: str = Field(description="What the state says.", examples=["cancelled"])


class HistoryItem(Answer):
    """A state of an event."""

    version: Annotated[int, Field(ge=1)] = Field(description="The event's version that this state was written as.")
    known: Known | None = Field(description="`null` for a state that later reports have taken the place of.")
    recorded_at: Recorded
    author: str = Field(description="Who wrote it: the key's name.", examples=["operator"])
    reason: str | None = Field(description="Why it was written, where a reason came along.")
    diff: list[PatchOperation] = Field(
        description="From the document known before it to its own, `{}` standing for none; but for `version`, "
        "`reported_at` and `recorded_at`, which every write sets anew. Empty where it says the same again."
    )
    conflicts: list[Conflict] = Field(description="What its claims say against it.")
    document: Event | None = Field(description="`null` where the event was deleted.")


class HistoryPage(Answer):
    """A page of an event's states, the latest known first."""

    items: list[HistoryItem] = Field(description="The states of this page.")
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[dict[str, object]]:
    """Say how one document of an event becomes another, but for what every write sets anew; `{}` is none."""
    return list(_steps(_lasting(before), _lasting(after), ""))


def says_the_same(before: Event, after: Event) -> bool:
    """Tell whether two documents of an event are one, but for what every write sets anew."""
    return before.model_copy(update={name: getattr(after, name) for name in OF_EVERY_WRITE}) == after


def _lasting(document: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name not in OF_EVERY_WRITE}


def _steps(before: object, after: object, path: str) -> Iterator[dict[str, object]]:
    """Say how one JSON value becomes another, as steps of a JSON Patch (RFC 6902); lists are replaced whole."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in before.keys() - after.keys():
            yield {"op": "remove", "path": f"{path}/{_escaped(name)}"}
        for name, value in after.items():
            if name in before:
                yield from _steps(before[name], value, f"{path}/{_escaped(name)}")
            else:
                yield {"op": "add", "path": f"{path}/{_escaped(name)}", "value": value}
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield {"op": "replace", "path": path, "value": after}


def _escaped(name: str) -> str:
    """Write a member's name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def conflicts(event: Event) -> list[Conflict]:
    """List what the event's claims assert against its status and its date."""
    found = []
    span = parse(event.when).bounds
    for claim in event.claims:
        asserted = claim.asserts
        if asserted.status is not None and asserted.status != event.status:
            found.append(Conflict(claim=claim.id, member="status", asserted=asserted.status, recorded=event.status))
        if asserted.when is not None:
            other = parse(asserted.when).bounds
            if other.end_latest <= span.start_earliest or span.end_latest <= other.start_earliest:
                found.append(Conflict(claim=claim.id, member="when", asserted=asserted.when, recorded=event.when))
    return found
