"""An event as clients write it (`EventBody`) and read it (`Event`), and its parts."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, field_validator

from service.wire.values import (
    Answer,
    Body,
    Edtf,
    Flag,
    Instant,
    Name,
    Phrase,
    Prose,
    Recorded,
    Slug,
    StoredEdtf,
    StoredInstant,
    Title,
    never_null,
    refuse_null,
)

Status = Annotated[
    Literal["tentative", "planned", "occurred", "postponed", "cancelled"],
    Field(description="What is recorded of the event. Nothing becomes `occurred` by the clock."),
]
Rel = Annotated[
    Literal["causes", "prevents", "follows", "part_of", "responds_to"],
    Field(description="What this event does to the other, or how it stands to it."),
]

# The most claims that an event holds.
MOST_CLAIMS = 200


class ParticipantBody(Body):
    """Who took part, and as what."""

    actor: Slug = Field(description="An actor of the directory.", examples=["john-kerry"])
    name: Name | None = Field(None, description="As credited in this event; the directory's name when absent.")
    role: Name | None = Field(None, description="As what.", examples=["Minister of National Reconciliation"])


class PlaceBody(Body):
    """Where it takes place."""

    place: Slug = Field(description="A place of the directory.", examples=["moscow"])
    name: Name | None = Field(None, description="As credited in this event; the directory's name when absent.")


class Assertion(Body):
    """What a claim says of the event."""

    status: Status | None = Field(None, description="The status that it asserts; `null` if none.")
    when: Edtf | None = Field(None, description="The date that it asserts; `null` if none.")


class ClaimBody(Body):
    """Who says so."""

    source: Slug = Field(description="A source of the directory.", examples=["ballout-2013-02-20"])
    title: Title | None = Field(None, description="The source's title as credited here; the directory's when absent.")
    attributed_to: Phrase | None = Field(
        None, description="Whom the source names for it.", examples=["a source in the coalition"]
    )
    quote: Prose | None = Field(None, description="The source's own words.")
    asserts: Assertion | None = Field(None, description="What it says of the event's status and date.")
    reported_at: Instant | None = Field(None, description="When it was said; now when absent.")


class EventClaimBody(ClaimBody):
    """A claim inside an event; its `id` keeps its identity when the event is written again."""

    id: UUID | None = Field(None, description="Its identity, to keep it; a new one when absent.")


Participants = Annotated[list[ParticipantBody], Field(max_length=200, description="Who takes part.")]
Topics = Annotated[list[Slug], Field(max_length=100, description="What it is about, each once.")]
Claims = Annotated[list[EventClaimBody], Field(max_length=MOST_CLAIMS, description="Who says so.")]


Reason = Annotated[
    Phrase,
    Field(
        description="Why it is written, for the history; the `status_reason` when absent.",
        examples=["Reported a day late."],
    ),
]
Supersede = Annotated[Flag, Field(description="Whether a report from the past replaces all that was reported since.")]


class EventBody(Body):
    """An event as a client writes it."""

    title: Title = Field(description="What it is, in a line.", examples=["Kerry and Lavrov speak by telephone"])
    summary: Prose | None = Field(None, description="What it is, in a few sentences.")
    when: Edtf = Field(
        description="When it is, as precisely as it is known: an EDTF expression (ISO 8601-2:2019 Annex A, levels "
        "0 to 2).",
        examples=["2013-02-25"],
    )
    status: Status = Field(examples=["planned"])
    status_reason: Phrase | None = Field(None, description="Why the status, or the date, is what it is now.")
    kind: Slug = Field("event", description="What sort of event it is, in a word of your own.", examples=["meeting"])
    participants: Participants = Field(default_factory=list)
    place: PlaceBody | None = Field(None, description="Where it takes place.")
    topics: Topics = Field(default_factory=list)
    claims: Claims = Field(default_factory=list)
    reported_at: Instant | None = Field(
        None,
        description="When the world learned it; now when absent. What was learned before the present state is put at "
        "its place in the history, and the present stays.",
    )
    reason: Reason | None = None
    supersede: Supersede = False


class PlacePatch(Body):
    """Members of `place` to change."""

    model_config = ConfigDict(json_schema_extra=never_null("place"))

    place: Slug | None = Field(None, description="A place of the directory.", examples=["moscow"])
    name: Name | None = Field(None, description="As credited in this event; `null` for the directory's name.")

    _keep = field_validator("place", mode="before")(refuse_null)


class EventPatch(Body):
    """Members of an event to change (JSON Merge Patch, RFC 7396): `null` clears, what is absent stays."""

    model_config = ConfigDict(json_schema_extra=never_null("title", "when", "status"))

    title: Title | None = Field(None, description="What it is, in a line.")
    summary: Prose | None = Field(None, description="What it is, in a few sentences.")
    when: Edtf | None = Field(None, description="Its new date; the old one moves to `previously`.")
    status: Status | None = None
    status_reason: Phrase | None = Field(None, description="Why the status, or the date, is what it is now.")
    kind: Slug | None = Field(None, description="What sort of event it is; `null` for `event`.")
    participants: Participants | None = Field(None, description="Who took part: the whole list anew.")
    place: PlacePatch | None = Field(None, description="Where it takes place, as a merge patch of its own.")
    topics: Topics | None = Field(None, description="What it is about: the whole list anew.")
    claims: Claims | None = Field(
        None, description="Who says so: the whole list anew. A claim that comes with its `id` keeps its identity."
    )
    reported_at: Instant | None = Field(
        None,
        description="When the world learned of the change; now when absent. A change from the past is put at its "
        "place in the history, and the present stays.",
    )
    reason: Reason | None = None
    supersede: Supersede = False

    _keep = field_validator("title", "when", "status", mode="before")(refuse_null)


class Span(Answer):
    """The instants between which something lies; `null` is without end."""

    earliest: StoredInstant | None = Field(
        description="No earlier than this; `null` if however early.", examples=["2013-02-25T00:00:00Z"]
    )
    latest: StoredInstant | None = Field(
        description="No later than this; `null` if however late.", examples=["2013-02-25T23:59:59.999999Z"]
    )


class BoundsAnswer(Answer):
    """The four instants of a date: it starts in `start` and ends in `end`.

    An event that has ended at an instant does not reach into it: ends are exclusive.
    """

    start: Span = Field(description="When it starts.")
    end: Span = Field(description="When it ends.")


class Former(Answer):
    """A date that the event had before, and why it was given up."""

    when: StoredEdtf
    reported_at: StoredInstant = Field(description="When the world had learned of that date.")
    reason: str | None = Field(description="Why it was given up, where a reason came along.")


class Participant(Answer):
    """Who took part, as credited."""

    actor: Slug = Field(description="An actor of the directory.")
    name: Name = Field(description="As credited in this event.")
    role: Name | None = Field(description="As what.")


class EventPlace(Answer):
    """Where it takes place, as credited."""

    place: Slug = Field(description="A place of the directory.")
    name: Name = Field(description="As credited in this event.")


class Claim(Answer):
    """Who says so."""

    id: UUID = Field(description="Its identity.")
    source: Slug = Field(description="A source of the directory.")
    title: Title = Field(description="The source's title as credited here.")
    attributed_to: Phrase | None = Field(description="Whom the source names for it; `null`: its own voice.")
    quote: Prose | None = Field(description="The source's own words.")
    asserts: Assertion = Field(description="What it says of the event's status and date.")
    reported_at: StoredInstant = Field(description="When it was said.")


class Link(Answer):
    """How this event is tied to another of the same timeline."""

    rel: Rel
    event: UUID = Field(description="The other event's identity.")


class Event(Answer):
    """An event as clients read it: the stored document."""

    id: UUID = Field(description="Its identity, which never changes.")
    timeline: Slug = Field(description="The slug of its timeline.")
    title: Title = Field(description="What it is, in a line.")
    summary: Prose | None = Field(description="What it is, in a few sentences.")
    when: StoredEdtf = Field(description="When it is: an EDTF expression, as it was written.", examples=["2013-02-25"])
    precision: str = Field(description="The unit in which `when` is known.", examples=["day"])
    approximate: bool = Field(description="Whether `when` is marked `~` or `%` anywhere; it moves no bound.")
    uncertain: bool = Field(description="Whether `when` is marked `?` or `%` anywhere; it moves no bound.")
    bounds: BoundsAnswer
    status: Status
    status_reason: Phrase | None = Field(description="Why the status, or the date, is what it is now.")
    previously: list[Former] = Field(description="Dates that it had before, newest first.")
    kind: Slug = Field(description="What sort of event it is.")
    participants: list[Participant] = Field(description="Who takes part.")
    place: EventPlace | None = Field(description="Where it takes place.")
    topics: list[Slug] = Field(description="What it is about.")
    claims: list[Claim] = Field(description="Who says so.")
    links: list[Link] = Field(description="How it is tied to other events of its timeline.")
    version: Annotated[int, Field(ge=1)] = Field(description="Counts its writes; its `ETag` is made of it.")
    reported_at: StoredInstant = Field(description="When the world learned of this state.")
    recorded_at: Recorded = Field(description="When this store learned of this state, by its own clock.")
    created_at: Recorded = Field(description="When this store first learned of the event, by its own clock.")


class EventPage(Answer):
    """A page of events, in order."""

    model_config = ConfigDict(json_schema_extra=never_null("count_is"))

    items: list[Event] = Field(description="The events of this page.")
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")
    count: int | None = Field(description="How many match in all, when asked for by `count`.")
    count_is: Literal["estimated"] | None = Field(
        None,
        description="`estimated` where `count` is an estimate: one was asked for and more than a thousand match, or "
        "to count them would have taken too long. Absent where `count` is exact.",
    )


class ClaimList(Answer):
    """All claims of an event."""

    items: list[Claim] = Field(description="In the order in which they were made.")
