"""An archive's lines: whole timelines with every state of every event, as `dateline export` writes them.

The first line is the header. Then each timeline has a section: its own line, those of the actors, places and sources
that it names, and one for each state of each of its events, whose document comes behind as it is stored. The last line
says how much there was, so that an archive that was cut off is known.

What is made of these is not here: keys, claims, links, from when until when a state is known follow from the states.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.dates import parse, parse_instant
from service.wire.directory import ActorBody, PlaceEntryBody, SourceBody, TimelineBody
from service.wire.event import Event
from service.wire.values import Flag, Instant

# Another one where a line has other members, or another meaning: what wrote the other one cannot read it.
FORMAT = 1
# What the first line begins with, of whichever format.
MARK = b'{"dateline":"archive"'

_Count = Annotated[int, Field(strict=True, ge=0)]
# a column holds no more, and what is copied into one would wrap
_Number = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class Record(BaseModel):
    """What a line of an archive says; a member that is unknown is none that can be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Header(Record):
    """The first line: that this is an archive, and of which format."""

    dateline: Literal["archive"] = "archive"
    format: _Number = FORMAT


class ArchivedTimeline(TimelineBody):
    """A timeline."""

    version: _Number
    created_at: Instant


class ArchivedActor(ActorBody):
    """An actor."""

    version: _Number


class ArchivedPlace(PlaceEntryBody):
    """A place."""

    version: _Number


class ArchivedSource(SourceBody):
    """A source."""

    version: _Number


ArchivedEntry = ArchivedTimeline | ArchivedActor | ArchivedPlace | ArchivedSource
# By the name that stands before each on its line.
ENTRIES: dict[str, type[ArchivedEntry]] = {
    "timeline": ArchivedTimeline,
    "actor": ArchivedActor,
    "place": ArchivedPlace,
    "source": ArchivedSource,
}


def entry_kind(entry: ArchivedEntry) -> str:
    """Name what stands before an entry on its line."""
    return next(name for name, kind in ENTRIES.items() if isinstance(entry, kind))


class ArchivedState(Record):
    """What was recorded of a state, beside its document, by the members' order on the line.

    `reported_at` is from when it was known, `shape` that of its document.
    """

    event: UUID
    version: _Number
    reported_at: Instant
    recorded_at: Instant
    supersedes: Flag
    author: _Text
    reason: _Text | None
    shape: _Number


class Totals(Record):
    """The last line: how much an archive holds."""

    timelines: _Count
    events: _Count
    states: _Count


def check_document(document: Event, timeline: str, state: ArchivedState) -> None:
    """Raise ValueError where a state's document is not this state's, or says what no event's can."""
    for name, said, meant in (
        ("timeline", document.timeline, timeline),
        ("id", document.id, state.event),
        ("version", document.version, state.version),
    ):
        if said != meant:
            raise ValueError(f"the document's {name} is {said}, where it should be {meant}")
    ties = {(one.rel, one.event) for one in document.links}
    if len(ties) < len(document.links) or any(other == document.id for _, other in ties):
        raise ValueError("the document has a link twice, or one to the event itself")
    parse(document.when)
    for instant in (
        *(document.reported_at, document.recorded_at, document.created_at),
        *(one.reported_at for one in document.claims),
    ):
        parse_instant(instant)
