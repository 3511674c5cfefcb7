"""Problem details (RFC 9457), as every error is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict, Field

from service.wire.values import Answer, never_null


class ProblemError(Answer):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(json_schema_extra=never_null("line", "pointer", "parameter"))

    line: int | None = Field(None, description="Of an import, the number of the line, from 1.")
    pointer: str | None = Field(None, description="JSON Pointer (RFC 6901) into the body, or into what a patch makes.")
    parameter: str | None = Field(None, description="The parameter's or header's name.")
    detail: str = Field(description="What is wrong with it.")


# An unknown member's name is the client's own, and may be as long as the body.
_POINTER_CHARACTERS = 500


def pointer(location: Sequence[int | str]) -> str:
    """Write where something stands in a body as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)[:_POINTER_CHARACTERS]


class Problem(Answer):
    """What went wrong; `type` is explained by the service itself."""

    model_config = ConfigDict(json_schema_extra=never_null("errors", "operations", "current"))

    type: str = Field(
        description="The kind of problem: a path of this service that explains it.", examples=["/problems/invalid-body"]
    )
    title: str = Field(description="The kind of problem, in words.", examples=["It is in use"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What went wrong this time.")
    instance: str = Field(description="The path that was asked for.", examples=["/v1/timelines/syria-2013/events"])
    request_id: str = Field(description="Names this request in our log; sent as `X-Request-Id` too.")
    errors: list[ProblemError] | None = Field(None, description="Each thing that is wrong with the request.")
    operations: list[RefusedOperation] | None = Field(
        None, description="Of a batch, each operation that was refused, and why."
    )
    current: dict[str, Any] | None = Field(None, description="What is there now, where that was not what you expected.")


class RefusedOperation(Answer):
    """An operation of a batch that was refused."""

    index: int = Field(description="Its place in the batch, from 0.")
    problem: Problem = Field(description="Why, as it would have been answered alone.")
