"""Problem details (RFC 9457), as every error is answered."""

from __future__ import annotations

from pydantic import Field

from service.wire.values import Answer


class ProblemError(Answer):
    """One thing that is wrong with a request."""

    pointer: str | None = Field(None, description="JSON Pointer (RFC 6901) into the body.")
    parameter: str | None = Field(None, description="The parameter's or header's name.")
    detail: str


class Problem(Answer):
    """What went wrong; `type` is explained by the service itself."""

    type: str = Field(examples=["/problems/invalid-body"])
    title: str = Field(examples=["The body is not what this operation takes"])
    status: int = Field(examples=[422])
    detail: str
    instance: str = Field(examples=["/v1/timelines/syria-2013/events"])
    request_id: str
    errors: list[ProblemError] | None = None
