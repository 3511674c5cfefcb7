"""Webhooks as clients write and read them, and what became of each message."""

from __future__ import annotations

import json
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, field_validator

from service.dates import format_instant
from service.wire.endpoint import parse_endpoint
from service.wire.event import Status
from service.wire.values import (
    AS_CURSOR,
    Answer,
    Body,
    Flag,
    Phrase,
    Recorded,
    Slug,
    StoredInstant,
    Whole,
    never_null,
    refuse_null,
)

Operation = Literal["created", "amended", "deleted", "revived", "purged"]
DeliveryState = Literal["pending", "delivered", "dead"]

OPERATIONS: tuple[Operation, ...] = ("created", "amended", "deleted", "revived", "purged")
DAY_SECONDS = 86_400
LONGEST_GRACE_SECONDS = 30 * DAY_SECONDS


def _check_endpoint(text: str) -> str:
    parse_endpoint(text)
    return text


EndpointUrl = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2_000),
    AfterValidator(_check_endpoint),
    Field(
        description="Where messages are sent to: http or https (better), port 80, 443 or from 1024 on, a name or an "
        "address of the public internet.",
        examples=["https://receiver.example/hooks/dateline"],
        json_schema_extra={"format": "uri"},
    ),
]
StoredUrl = Annotated[str, Field(description="Where messages are sent to.", json_schema_extra={"format": "uri"})]
Operations = Annotated[
    list[Operation],
    Field(min_length=1, max_length=len(OPERATIONS), description="The operations that are told of."),
]
Values = Annotated[list[Slug], Field(max_length=50)]


class WebhookFilterBody(Body):
    """Which events are told of, by the filters of the range query: any of a filter's values, and every filter.

    Where an event is gone (deleted, purged) that is always told.
    """

    status: list[Status] = Field([], max_length=50, description="Any of these.")
    kind: Values = Field([], description="Any of these.")
    actor: Values = Field([], description="Any of these takes part.")
    place: Values = Field([], description="At any of these.")
    topic: Values = Field([], description="About any of these.")
    source: Values = Field([], description="Claimed by any of these.")


class WebhookFilter(Answer):
    """Which events are told of: any of a filter's values, and every filter; an empty one lets all pass."""

    status: list[Status] = Field(description="Any of these.")
    kind: list[Slug] = Field(description="Any of these.")
    actor: list[Slug] = Field(description="Any of these takes part.")
    place: list[Slug] = Field(description="At any of these.")
    topic: list[Slug] = Field(description="About any of these.")
    source: list[Slug] = Field(description="Claimed by any of these.")


class WebhookBody(Body):
    """Where a timeline's changes are to be sent."""

    url: EndpointUrl
    description: Phrase | None = Field(None, description="What it is for, for those who look after it.")
    operations: Operations = Field(
        default_factory=lambda: list(OPERATIONS), description="The operations that are told of; all when absent."
    )
    filter: WebhookFilterBody = Field(
        default_factory=WebhookFilterBody, description="Which events are told of; all when absent."
    )
    enabled: Flag = Field(default=True, description="Whether anything is sent. What happens meanwhile is sent later.")


class WebhookPatch(Body):
    """Members of a webhook to change (RFC 7396)."""

    model_config = ConfigDict(json_schema_extra=never_null("url"))

    url: EndpointUrl | None = Field(None, description="Where messages are sent to from now on.")
    description: Phrase | None = Field(None, description="What it is for.")
    operations: Operations | None = Field(None, description="The operations that are told of; `null` for all.")
    filter: WebhookFilterBody | None = Field(None, description="Which events are told of; `null` for all.")
    enabled: Flag | None = Field(
        None, description="`true` takes up again what was disabled: all that happened since is sent."
    )

    _keep = field_validator("url", mode="before")(refuse_null)


class Secret(Answer):
    """A secret that signs; what it is was shown once, when it was made."""

    id: UUID = Field(description="Names it, where it is to be removed.")
    created_at: Recorded
    expires_at: StoredInstant | None = Field(description="Until when it signs; `null` for the newest.")


class Webhook(Answer):
    """Where a timeline's changes are sent."""

    id: UUID = Field(description="Given by the service: a UUID of version 7.")
    timeline: Slug = Field(description="The timeline whose changes are sent.")
    url: StoredUrl
    description: str | None = Field(description="What it is for.")
    operations: list[Operation] = Field(description="The operations that are told of.")
    filter: WebhookFilter
    enabled: bool = Field(description="Whether anything is sent.")
    disabled_reason: str | None = Field(description="Why nothing is sent; `null` while it is.")
    secrets: list[Secret] = Field(description="The secrets that sign, the newest last.")
    version: Annotated[int, Field(ge=1, description="Its `ETag`.")]
    created_at: Recorded


class CreatedWebhook(Webhook):
    """A webhook that was just made, with its secret."""

    secret: str = Field(
        description="What messages are signed with (Standard Webhooks 1.0). It is shown this once.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
    )


class WebhookPage(Answer):
    """A page of a timeline's webhooks, the oldest first."""

    items: list[Webhook] = Field(description="Webhooks in the order in which they were made.")
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")


class RotationBody(Body):
    """How long the secrets until now sign beside the new one."""

    grace_seconds: Whole = Field(
        DAY_SECONDS,
        ge=0,
        le=LONGEST_GRACE_SECONDS,
        description="Time for which the secrets until now go on to sign. Each message bears a signature of every one.",
    )


class CreatedSecret(Secret):
    """A secret that was just made."""

    secret: str = Field(description="What messages are signed with. It is shown this once.")


class ReplayBody(Body):
    """From where on changes are to be sent again."""

    after: Annotated[str, Field(min_length=1, max_length=500, json_schema_extra=AS_CURSOR)] | None = Field(
        None, description="A cursor of the change feed, as it is; `null` for its beginning."
    )


class Delivery(Answer):
    """What became of a message."""

    id: UUID = Field(description="The message's `webhook-id`; the same for every try, and when it is replayed.")
    cursor: str = Field(description="The change's place in the feed.")
    operation: Operation = Field(description="What the change did.")
    event: UUID = Field(description="The event that it did it to.")
    version: int = Field(description="The version of the event that stands after it.")
    recorded_at: Recorded
    state: DeliveryState = Field(description="Whether it is to be sent, was taken, or was given up.")
    tries: int = Field(description="How often it was tried, since it was made, replayed or retried.")
    tried_at: StoredInstant | None = Field(description="When it was last tried.")
    due_at: StoredInstant | None = Field(description="When it is tried next; `null` once it is delivered or dead.")
    settled_at: StoredInstant | None = Field(description="When it was delivered or given up.")
    status: int | None = Field(description="The status of the last answer; `null` where there was none.")
    error: str | None = Field(description="Why the last try failed.")


class DeliveryPage(Answer):
    """A page of deliveries, the newest change first."""

    items: list[Delivery] = Field(description="Messages in the order of the feed, the newest first.")
    next: str | None = Field(description="The cursor of the next page; `null` on the last one.")
    reached: str = Field(description="The cursor of the change feed up to which messages were made of changes.")


def write_message(timeline: str, operation: str, recorded_at: int, item: bytes) -> bytes:
    """Write the body of a message: what happened, when (an instant), in which timeline, and the feed's item (JSON)."""
    head = {"type": f"event.{operation}", "timestamp": format_instant(recorded_at), "timeline": timeline}
    return b'%b,"data":%b}' % (json.dumps(head, separators=(",", ":")).encode()[:-1], item)
