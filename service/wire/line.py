"""An event as a line of an import: what a client writes of it, and by what it is known again."""

from __future__ import annotations

from collections import Counter
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import Field, StringConstraints, model_validator

from service.wire.event import Event, EventBody, EventClaimBody
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
    """Give each claim that has no identity one that is made of what it says, so that it is known again.

    When it was said, if the line does not tell, stays what it was.
    """
    said = {} if former is None else {one.id: one.reported_at for one in former.claims}
    claims: list[EventClaimBody] = []
    told: Counter[str] = Counter()
    for one in body.claims:
        content = one.model_dump_json(exclude={"id"})
        told[content] += 1
        claim_id = one.id or uuid5(event_id, f"claim:{told[content]}:{content}")
        reported_at = one.reported_at or said.get(claim_id)
        claims.append(one.model_copy(update={"id": claim_id, "reported_at": reported_at}))
    return body.model_copy(update={"claims": claims})
