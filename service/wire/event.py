"""An event as clients write it (`EventBody`) and read it (`Event`), and its parts."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from service.wire.values import Answer, Body, Edtf, Instant, Name, Phrase, Prose, Slug, Title

Status = Literal["tentative", "planned", "occurred", "postponed", "cancelled"]
Rel = Literal["causes", "prevents", "follows", "part_of", "responds_to"]


class ParticipantBody(Body):
    """Who took part, and as what."""

    actor: Slug = Field(description="An actor of the directory.", examples=["john-kerry"])
    name: Name | None = Field(None, description="As credited in this event; the directory's name when absent.")
    role: Name | None = Field(None, examples=["caller"])


class PlaceBody(Body):
    """Where it takes place."""

    place: Slug = Field(description="A place of the directory.", examples=["moscow"])
    name: Name | None = Field(None, description="As credited in this event; the directory's name when absent.")


class Assertion(Body):
    """What a claim says of the event."""

    status: Status | None = None
    when: Edtf | None = None


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

    id: UUID | None = None


class EventBody(Body):
    """An event as a client writes it."""

    title: Title = Field(examples=["Kerry and Lavrov speak by telephone"])
    summary: Prose | None = None
    when: Edtf = Field(examples=["2013-02-25"])
    status: Status = Field(examples=["planned"])
    status_reason: Phrase | None = Field(None, description="Why the status, or the date, is what it is now.")
    kind: Slug = Field("event", examples=["meeting"])
    participants: Annotated[list[ParticipantBody], Field(max_length=200)] = Field(default_factory=list)
    place: PlaceBody | None = None
    topics: Annotated[list[Slug], Field(max_length=100)] = Field(default_factory=list)
    claims: Annotated[list[EventClaimBody], Field(max_length=200)] = Field(default_factory=list)
    reported_at: Instant | None = Field(
        None,
        description="When the world learned it; now when absent. What was learned before the present state is put at "
        "its place in the history, and the present stays.",
    )
    reason: Phrase | None = Field(None, description="Why it is written anew, for the history.")
    supersede: bool = Field(
        default=False, description="Whether a report from the past replaces all that was reported since."
    )


class PlacePatch(Body):
    """Members of `place` to change."""

    place: Slug | None = None
    name: Name | None = None


class EventPatch(Body):
    """Members of an event to change (JSON Merge Patch, RFC 7396): `null` clears, what is absent stays."""

    title: Title | None = None
    summary: Prose | None = None
    when: Edtf | None = None
    status: Status | None = None
    status_reason: Phrase | None = None
    kind: Slug | None = None
    participants: Annotated[list[ParticipantBody], Field(max_length=200)] | None = None
    place: PlacePatch | None = None
    topics: Annotated[list[Slug], Field(max_length=100)] | None = None
    claims: Annotated[list[EventClaimBody], Field(max_length=200)] | None = None
    reported_at: Instant | None = None
    reason: Phrase | None = None
    supersede: bool = False


class Span(Answer):
    """The instants between which something lies; `null` is without end."""

    earliest: Instant | None = Field(examples=["2013-02-25T00:00:00Z"])
    latest: Instant | None = Field(examples=["2013-02-25T23:59:59.999999Z"])


class BoundsAnswer(Answer):
    """The four instants of a date: it starts in `start` and ends in `end`."""

    start: Span
    end: Span


class Former(Answer):
    """A date that the event had before, and why it was given up."""

    when: str
    reported_at: Instant
    reason: str | None


class Participant(Answer):
    """Who took part, as credited."""

    actor: Slug
    name: Name
    role: Name | None


class EventPlace(Answer):
    """Where it takes place, as credited."""

    place: Slug
    name: Name


class Claim(Answer):
    """Who says so."""

    id: UUID
    source: Slug
    title: Title
    attributed_to: Phrase | None
    quote: Prose | None
    asserts: Assertion
    reported_at: Instant


class Link(Answer):
    """How this event is tied to another of the same timeline."""

    rel: Rel
    event: UUID


class Event(Answer):
    """An event as clients read it: the stored document."""

    id: UUID
    timeline: Slug
    title: Title
    summary: Prose | None
    when: str = Field(description="An EDTF expression.", examples=["2013-02-25"])
    precision: str = Field(examples=["day"])
    approximate: bool
    uncertain: bool
    bounds: BoundsAnswer
    status: Status
    status_reason: Phrase | None
    previously: list[Former] = Field(description="Dates that it had before, newest first.")
    kind: Slug
    participants: list[Participant]
    place: EventPlace | None
    topics: list[Slug]
    claims: list[Claim]
    links: list[Link]
    version: Annotated[int, Field(ge=1)]
    reported_at: Instant
    recorded_at: Instant
    created_at: Instant


class EventPage(Answer):
    """A page of events, in order."""

    items: list[Event]
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")
    count: int | None = Field(description="How many match in all, when asked for by `count`.")


class ClaimList(Answer):
    """All claims of an event."""

    items: list[Claim]
