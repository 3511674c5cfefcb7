"""The audit trail as administrators read it."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from service.wire.values import Answer, Recorded


class AuditEntry(Answer):
    """One write: who did it, from where, and what it was."""

    id: UUID = Field(description="Given by the service: a UUID of version 7.")
    recorded_at: Recorded
    caller: str = Field(description="A key's prefix, or `oidc:` and the subject of a token.")
    address: str | None = Field(description="Where the request came from; of a proxy that is trusted, what it said.")
    request_id: str = Field(description="The request's `X-Request-Id`, by which the log tells more.")
    operation: str = Field(description="The operation's name in the API's document.")
    path: str = Field(description="The request's path.")
    status: int = Field(description="How it was answered.")
    location: str | None = Field(description="Where that is which it made.")


class AuditPage(Answer):
    """Writes, the newest first."""

    items: list[AuditEntry] = Field(description="The writes of this page.")
    next: str | None = Field(description="`cursor` of the next page; `null` on the last one.")
