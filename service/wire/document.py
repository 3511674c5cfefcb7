"""The document of an event: made of what a client wrote, finished, and stored as it will be read.

It holds only what this event's own writes decide, so that it never goes stale: names as credited, no
counts, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from service.dates import format_instant, parse, parse_instant
from service.errors import Invalid
from service.wire.date import bounds_answer
from service.wire.event import (
    Assertion,
    Claim,
    Event,
    EventBody,
    EventPlace,
    Former,
    Link,
    Participant,
)

# Members that say something of the write, not of the event.
OF_THE_WRITE = frozenset({"reported_at", "reason", "supersede"})


@dataclass(frozen=True, slots=True)
class Draft:
    """What an event is to be: its identity, what the client wrote, and its links."""

    timeline: str
    event_id: UUID
    body: EventBody
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Succession:
    """What a state follows on: the state known before it, its own version, and when the first was recorded."""

    former: Event | None
    version: int
    created_at: int | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a document needs from outside: the names in the directory by slug, the time, fresh identities."""

    now: int
    actors: Mapping[str, str]
    places: Mapping[str, str]
    sources: Mapping[str, str]
    new_id: Callable[[], UUID]

    def instant(self, text: str | None) -> str:
        """Write an instant in UTC, as every answer does; the present when none was given."""
        return cast("str", format_instant(self.now if text is None else parse_instant(text)))


def compose(draft: Draft, follows: Succession, around: Surroundings) -> Event:
    """Make the document of a state of an event.

    Raises Invalid for an actor, place or source that the directory lacks, and for a claim's identity given twice.
    """
    body = draft.body
    expression = parse(body.when)
    now = around.instant(None)
    return Event(
        id=draft.event_id,
        timeline=draft.timeline,
        title=body.title,
        summary=body.summary,
        when=body.when,
        precision=expression.precision,
        approximate=expression.approximate,
        uncertain=expression.uncertain,
        bounds=bounds_answer(expression.bounds),
        status=body.status,
        status_reason=body.status_reason,
        previously=_schedule_log(body, follows.former),
        kind=body.kind,
        participants=_participants(body, around),
        place=_place(body, around),
        topics=list(dict.fromkeys(body.topics)),
        claims=_claims(body, around),
        links=sorted(draft.links, key=lambda link: (link.rel, link.event)),
        version=follows.version,
        reported_at=around.instant(body.reported_at),
        recorded_at=now,
        created_at=now if follows.created_at is None else cast("str", format_instant(follows.created_at)),
    )


def body_of(event: Event) -> EventBody:
    """Give back what a client would write to get this event again, but for what each write says of itself."""
    return EventBody.model_validate(event.model_dump(include=set(EventBody.model_fields) - OF_THE_WRITE))


def _schedule_log(body: EventBody, former: Event | None) -> list[Former]:
    """Keep the date that was given up, when it had been reported, and why it changed; newest first."""
    if former is None:
        return []
    if parse(former.when) == parse(body.when):
        return former.previously
    reason = body.reason or body.status_reason
    return [Former(when=former.when, reported_at=former.reported_at, reason=reason), *former.previously]


def _participants(body: EventBody, around: Surroundings) -> list[Participant]:
    return [
        Participant(
            actor=one.actor,
            name=_credited(one.name, around.actors, one.actor, "actor", f"/participants/{i}/actor"),
            role=one.role,
        )
        for i, one in enumerate(body.participants)
    ]


def _place(body: EventBody, around: Surroundings) -> EventPlace | None:
    if body.place is None:
        return None
    name = _credited(body.place.name, around.places, body.place.place, "place", "/place/place")
    return EventPlace(place=body.place.place, name=name)


def _claims(body: EventBody, around: Surroundings) -> list[Claim]:
    claims = [
        Claim(
            id=one.id or around.new_id(),
            source=one.source,
            title=_credited(one.title, around.sources, one.source, "source", f"/claims/{i}/source"),
            attributed_to=one.attributed_to,
            quote=one.quote,
            asserts=one.asserts or Assertion(),
            reported_at=around.instant(one.reported_at),
        )
        for i, one in enumerate(body.claims)
    ]
    if len({one.id for one in claims}) < len(claims):
        raise Invalid("two claims have the same id", pointer="/claims")
    return claims


def _credited(given: str | None, names: Mapping[str, str], slug: str, what: str, pointer: str) -> str:
    """Take the name given, or the directory's; what the directory lacks is refused in either case."""
    if slug not in names:
        raise Invalid(f"no {what} {slug!r} in the directory", pointer=pointer)
    return given or names[slug]
