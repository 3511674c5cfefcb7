"""The states of an event, what changed between two of them, and which claims contradict one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from service.dates import parse
from service.wire.event import Event
from service.wire.values import Answer, Instant


class Known(Answer):
    """From when until when a state was known: half-open; `to` is `null` for what is known now."""

    from_: Instant = Field(alias="from")
    to: Instant | None


class PatchOperation(Answer):
    """One step from the state before to this one (JSON Patch, RFC 6902)."""

    op: Literal["add", "remove", "replace"]
    path: str
    value: Any = None


class Conflict(Answer):
    """A claim that asserts another status than the state has, or a date that excludes the state's."""

    claim: UUID
    member: Literal["status", "when"]
    asserted: str
    recorded: str


class HistoryItem(Answer):
    """A state of an event."""

    version: int
    known: Known | None = Field(description="`null` for a state that later reports have taken the place of.")
    recorded_at: Instant
    author: str
    reason: str | None
    diff: list[PatchOperation] = Field(description="From the state known before it; from `{}` for the first.")
    conflicts: list[Conflict]
    document: Event | None = Field(description="`null` where the event was deleted.")


class HistoryPage(Answer):
    """A page of an event's states, the latest known first."""

    items: list[HistoryItem]
    next: str | None


def difference(before: object, after: object, path: str = "") -> Iterator[dict[str, object]]:
    """Say how one JSON value becomes another, as steps of a JSON Patch (RFC 6902); lists are replaced whole."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in before.keys() - after.keys():
            yield {"op": "remove", "path": f"{path}/{_escaped(name)}"}
        for name, value in after.items():
            if name in before:
                yield from difference(before[name], value, f"{path}/{_escaped(name)}")
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
