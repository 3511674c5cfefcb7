"""How many events lie in each bucket of the calendar."""

from __future__ import annotations

from pydantic import Field

from service.wire.values import Answer, StoredInstant


class BucketCounts(Answer):
    """A bucket of the calendar, half-open, and how many events lie in it."""

    start: StoredInstant = Field(alias="from", description="When it begins, in UTC.")
    end: StoredInstant = Field(alias="to", description="When the next one begins.")
    certain: int = Field(description="How many events certainly lie in it, at least in part.")
    possible: int = Field(description="How many may, the certain ones among them.")


class Histogram(Answer):
    """A timeline's events by buckets that follow upon each other."""

    items: list[BucketCounts] = Field(description="The buckets, the earliest first, those that hold nothing too.")
