"""The change feed, as clients read it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from service.wire.event import Event
from service.wire.values import Answer, Recorded, never_null


class ChangeItem(Answer):
    """A write, and the event as it stood after it."""

    model_config = ConfigDict(json_schema_extra=never_null("state"))

    cursor: str = Field(description="The place behind this change: `after` it, the next one comes.")
    operation: Literal["created", "amended", "deleted", "revived", "purged"] = Field(
        description="What was done: `revived` is what was deleted and is there again, `purged` what is gone for good."
    )
    event: UUID = Field(description="The event's identity.")
    version: int = Field(description="The version of the event that stands after this write.")
    state: int | None = Field(
        None,
        description="The version that this write recorded, where it is another: a report came late, and changed what "
        "was known in the past, not what is known now. Absent otherwise.",
    )
    recorded_at: Recorded
    document: Event | None = Field(
        None,
        description="The event as it stood after this write; `null` where this write deleted or purged it, and, "
        "whatever the operation, of an event that has been purged since. Absent with `documents=false`.",
    )


class ChangePage(Answer):
    """A page of the change feed, in commit order."""

    items: list[ChangeItem] = Field(description="The changes of this page.")
    latest: str = Field(description="The cursor of the last change that can be read now.")
    oldest: str = Field(description="The earliest cursor from which nothing is missing.")
    next: str | None = Field(
        description="The cursor of the next page if more can be read now; `null` where you have come to `latest`, and "
        "go on from there later."
    )
