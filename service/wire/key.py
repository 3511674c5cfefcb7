"""Keys as clients ask for them and read of them."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from service.wire.key_text import PREFIX_PATTERN
from service.wire.values import Answer, Body, Instant, Name, Recorded, Slug, StoredInstant, Whole, having

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[str, ...] = get_args(Scope)
KeyPrefix = Annotated[
    str,
    StringConstraints(pattern=PREFIX_PATTERN),
    Field(description="Names the key, in histories and logs too; it is no secret."),
]
DAY_SECONDS = 86_400
LONGEST_OVERLAP_SECONDS = 30 * DAY_SECONDS


class KeyBody(Body):
    """What a key is to be for."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": having({"scopes": {"contains": {"const": "admin"}}}),
            "then": having({"timelines": {"type": "null"}}, required=False),
        }
    )

    name: Name = Field(description="Whose it is, or what for.", examples=["newsroom importer"])
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=3,
        description="`read` reads private timelines; `write` writes, and reads; `admin` makes keys, writes and reads.",
        examples=[["write"]],
    )
    timelines: list[Slug] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="The timelines that it is limited to, there already or not; all when absent. Not with `admin`.",
    )
    expires_at: Instant | None = Field(
        None, description="From when it opens nothing, which is to come; never when absent."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.timelines is not None and "admin" in self.scopes:
            raise ValueError("a key with the scope admin is not limited to timelines: it can make keys for all")
        return self


class KeyRotationBody(Body):
    """How long the key until now opens what it did."""

    overlap_seconds: Whole = Field(
        DAY_SECONDS,
        ge=0,
        le=LONGEST_OVERLAP_SECONDS,
        description="Time for which both keys are good, so that no request is refused meanwhile; 0 ends the old one.",
    )


class Key(Answer):
    """A key; what it is was shown once, when it was made."""

    prefix: KeyPrefix
    name: str = Field(description="Whose it is, or what for.")
    scopes: list[Scope] = Field(description="What it may do.")
    timelines: list[Slug] | None = Field(description="The timelines that it is limited to; `null` for all.")
    created_at: Recorded
    created_by: str = Field(description="Who made it: a key's prefix, or `operator` on the command line.")
    expires_at: StoredInstant | None = Field(description="From when it opens nothing; `null` for never.")
    revoked_at: StoredInstant | None = Field(description="Since when it is revoked.")
    last_used_at: StoredInstant | None = Field(description="When it was last used, to within a minute.")
    replaces: KeyPrefix | None = Field(description="The key that was rotated into this one.")


class CreatedKey(Key):
    """A key that was just made."""

    key: str = Field(description="What to send as `Authorization: Bearer …`. It is shown in this answer alone.")


class KeyPage(Answer):
    """Keys, in the order of their prefixes."""

    items: list[Key] = Field(description="The keys of this page.")
    next: str | None = Field(description="`cursor` of the next page; `null` on the last one.")
