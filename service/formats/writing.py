"""What every writer of events has in common: a head, the events as they come, batch by batch, and a tail."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode
from uuid import UUID

from service.wire.directory import Coordinates
from service.wire.event import Event
from service.wire.shape import upgraded

# What XML 1.0 (section 2.2) has no way to write.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Collection:
    """What events are written as a whole of: a timeline, or all that somebody may read.

    `service` is the absolute address of the service, without a slash behind it; `address` that of what is written.
    """

    title: str
    description: str | None
    service: str
    address: str

    def event(self, timeline: str, event_id: UUID) -> str:
        """Give the absolute address of an event."""
        return f"{self.service}/v1/timelines/{timeline}/events/{event_id}"

    def page(self, event: Event) -> str:
        """Give the absolute address of an event's place on the page of its timeline.

        The page shows what there is at that time: of all that there is it shows the beginning.
        """
        return f"{self.service}/?{urlencode({'timeline': event.timeline, 'datetime': event.when})}#e-{event.id}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events in order: their documents (UTF-8 JSON) as they are stored, and where their places are."""

    documents: Sequence[bytes]
    places: Mapping[str, Coordinates] = field(default_factory=dict)

    @property
    def events(self) -> Iterator[Event]:
        """The same, read anew each time: an event takes more memory than its document."""
        return (Event.model_validate_json(upgraded(one)) for one in self.documents)

    def read_places(self) -> set[str]:
        """Name the places at which these events take place."""
        return {one.place.place for one in self.events if one.place is not None}

    def where(self, event: Event) -> Coordinates | None:
        """Say where an event takes place, if the directory knows."""
        return None if event.place is None else self.places.get(event.place.place)


class Writer(Protocol):
    """Writes events in one format; of each whole one of its own, for some remember what they have written."""

    def begin(self) -> bytes:
        """Write what stands before the first event."""

    def write(self, batch: Batch) -> bytes:
        """Write some events more."""

    def end(self) -> bytes:
        """Write what stands behind the last event."""


class JsonListWriter(ABC):
    """Writes JSON whose events stand in one list; `item` makes of an event what is written of it."""

    def __init__(self) -> None:
        self._between = b""

    @abstractmethod
    def begin(self) -> bytes:
        """Write all members before the list, and open it."""

    @abstractmethod
    def item(self, event: Event, batch: Batch) -> bytes | None:
        """Write an event; None where it cannot be."""

    def write(self, batch: Batch) -> bytes:
        """Write some events more."""
        parts = [written for one in batch.events if (written := self.item(one, batch)) is not None]
        if not parts:
            return b""
        between, self._between = self._between, b",\n"
        return between + b",\n".join(parts)

    def end(self) -> bytes:
        """Close the list, and what it stands in."""
        return b"]}\n"


def as_json(value: object) -> bytes:
    """Write JSON as short as it can be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def in_xml(text: str) -> str:
    """Replace the characters of a text that XML has no way to write."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
