"""Many writes of a timeline's events in one request, and what became of each."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from service.wire.event import Event, EventBody, EventPatch
from service.wire.problem import Problem
from service.wire.values import Answer, Body, without_point

MOST_OPERATIONS = 1_000

EventName = Annotated[UUID, Field(description="The event's identity.")]
Seen = Annotated[
    int,
    Field(strict=True, ge=1, le=2**31 - 1, description="The version that you have seen; what exists needs it."),
    BeforeValidator(without_point),  # behind the bounds, or they would not be published
]


class CreationBody(Body):
    """Record an event, under an identity that the service gives it."""

    operation: Literal["create"] = Field(description="`create`.")
    body: EventBody


class ReplacementBody(Body):
    """Record an event under an identity of your own, or replace it."""

    operation: Literal["put"] = Field(description="`put`.")
    event: EventName
    if_match: Seen | None = None
    body: EventBody


class AmendmentBody(Body):
    """Change an event by a JSON Merge Patch."""

    operation: Literal["amend"] = Field(description="`amend`.")
    event: EventName
    if_match: Seen | None = None
    patch: EventPatch


class DeletionBody(Body):
    """Delete an event."""

    operation: Literal["delete"] = Field(description="`delete`.")
    event: EventName
    if_match: Seen | None = None


OPERATIONS = ("create", "put", "amend", "delete")
Operation = CreationBody | ReplacementBody | AmendmentBody | DeletionBody


class Unreadable:
    """What is no operation, in the place of one: the others may be fine. `reasons` says why."""

    def __init__(self, reasons: ValidationError) -> None:
        self.reasons = reasons


def _read(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError as reasons:
        return Unreadable(reasons)


class BatchBody(Body):
    """Writes, which are done in this order."""

    operations: list[Annotated[Annotated[Operation, Field(discriminator="operation")], WrapValidator(_read)]] = Field(
        min_length=1,
        max_length=MOST_OPERATIONS,
        description="What to do. Each stands alone: it sees what those before it did.",
    )


class BatchItem(Answer):
    """What became of an operation: as it would have been answered alone."""

    status: int = Field(description="Its HTTP status.", examples=[201])
    event: UUID | None = Field(description="The event's identity; `null` where none was named or made.")
    version: int | None = Field(description="The event's version then; `null` where it was deleted or refused.")
    document: Event | None = Field(description="The event then; `null` where it was deleted or refused.")
    problem: Problem | None = Field(description="Why it was refused; `null` where it was done.")


class BatchResult(Answer):
    """What became of a batch."""

    items: list[BatchItem] = Field(description="One for each operation, in their order.")
