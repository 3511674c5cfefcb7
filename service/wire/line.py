"""An event as a line of an import: what a client writes of it, and by what it is known again."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import Field, StringConstraints, model_validator

from service.dates import parse_instant
from service.wire.event import Assertion, Claim, Event, EventBody, EventClaimBody
from service.wire.values import NOT_BLANK

# What the service says of an event, and makes itself: left aside, so that what it answered can be imported.
ANSWERED = frozenset(Event.model_fields) - frozenset(EventBody.model_fields) - {"id"}

Key = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=NOT_BLANK)]


class EventLine(EventBody):
    """An event to be created, or changed where it is there already."""

    id: UUID | None = Field(None, description="Its identity.")
    key: Key | None = Field(
        None, description="Your own name for it, the only one of its timeline: instead of an identity."
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_answers_aside(cls, value: object) -> object:
        if isinstance(value, dict):
            return {name: one for name, one in value.items() if name not in ANSWERED}
        return value

    @model_validator(mode="after")
    def _has_one_name(self) -> EventLine:
        if self.id is not None and self.key is not None:
            raise ValueError("has an id and a key: one of them says which event it is")
        return self

    def identity(self, timeline_id: UUID) -> UUID | None:
        """Say which event of a timeline it is; None where the line does not tell.

        A key stands for an identity that is made of it: a UUID of version 5 (RFC 9562).
        """
        return self.id if self.key is None else uuid5(timeline_id, f"key:{self.key}")


def with_known_claims(body: EventBody, event_id: UUID, former: Event | None) -> EventBody:
    """Give each claim that has no identity that of the claim that says the same already, or one made of what it says.

    So it is known again. When it was said, if the line does not tell, stays what it was.
    """
    told: Counter[str] = Counter()
    left = [] if former is None else [one for one in former.claims if one.id not in {each.id for each in body.claims}]
    claims: list[EventClaimBody] = []
    for one in body.claims:
        if one.id is not None:
            claims.append(one)
            continue
        same = next((each for each in left if _says(one, each)), None)
        if same is not None:
            left.remove(same)
            claims.append(one.model_copy(update={"id": same.id, "reported_at": same.reported_at}))
            continue
        content = _content(one)
        told[content] += 1
        claims.append(one.model_copy(update={"id": uuid5(event_id, f"claim:{told[content]}:{content}")}))
    return body.model_copy(update={"claims": claims})


def _says(given: EventClaimBody, kept: Claim) -> bool:
    """Tell whether a claim is the one that is kept; what it leaves unsaid may be anything."""
    return (
        given.source == kept.source
        and given.title in (None, kept.title)
        and (given.attributed_to, given.quote) == (kept.attributed_to, kept.quote)
        and (given.asserts or Assertion()) == kept.asserts
        and (given.reported_at is None or parse_instant(given.reported_at) == parse_instant(kept.reported_at))
    )


def _content(claim: EventClaimBody) -> str:
    """Write what a claim says, in a form that never changes: identities are made of it."""
    asserts = claim.asserts or Assertion()
    said = [
        claim.source,
        claim.title,
        claim.attributed_to,
        claim.quote,
        asserts.status,
        asserts.when,
        claim.reported_at,
    ]
    return json.dumps(said, ensure_ascii=False)
