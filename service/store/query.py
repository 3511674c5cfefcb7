"""What a client asks of the events, in the domain's own terms."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from service.dates import Answer, Relation, Window

Sort = Literal["date", "-date", "-recorded", "relevance"]

# The filters that name values, any of which will do.
FACETS = ("source", "actor", "place", "topic", "kind", "status")


@lru_cache(maxsize=1024)
def timeline_id_of(slug: str) -> UUID:
    """Give a timeline's identity: derived from its slug, which never changes, so that none is looked up.

    UUID version 5 (RFC 9562) of the slug as a relative reference.
    """
    return uuid5(NAMESPACE_URL, f"dateline:timelines/{slug}")


_NOBODY = "anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what is theirs.

    `name` is for histories. `timelines` are the slugs of those that are theirs, None for all: these they see, private
    or not, and write if they write at all. Public timelines they see if `sees_public`.
    """

    name: str = _NOBODY
    timelines: frozenset[str] | None = frozenset()
    sees_public: bool = True
    writes: bool = False
    administers: bool = False
    # when what they showed expires, in microseconds since 1970; None for never, or for what the store is asked for
    until: int | None = None

    @property
    def is_known(self) -> bool:
        """Tell whether they said who they are."""
        return self.name != _NOBODY

    @property
    def sight(self) -> dict[str, object]:
        """Give the values that a statement tells by what they see."""
        return {
            "sees_public": self.sees_public,
            "sees_all": self.timelines is None,
            "sees_timelines": [timeline_id_of(slug) for slug in sorted(self.timelines or ())],
        }

    def may_write(self, timeline: str | None) -> bool:
        """Tell whether a timeline is theirs to write, or for None what all timelines share."""
        return self.writes and (self.timelines is None or timeline in self.timelines)


def owner(name: str) -> Caller:
    """Make a caller to whom everything is open: the service itself, at work."""
    return Caller(name, timelines=None, writes=True, administers=True)


@dataclass(frozen=True, slots=True)
class Keyset:
    """Where a page ended: the last event's sort value, and its identity to break ties.

    `value` is an instant for the sorts by date and by record, and a rank for `relevance`.
    """

    value: int | float
    event_id: UUID
    timeline_id: UUID


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A range query: everything that decides which events are meant, and in which order.

    `timeline` is a slug, or None for all timelines that the caller sees. `certainty` is CERTAIN or POSSIBLE.
    `known_at` asks for what was known at that instant; None for what is known now.
    """

    timeline: str | None
    window: Window | None = None
    relation: Relation = Relation.INTERSECTS
    certainty: Answer = Answer.POSSIBLE
    facets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    overdue: bool | None = None
    disputed: bool | None = None
    text: str | None = None
    sort: Sort = "date"
    known_at: int | None = None
    _digest: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    def digest(self) -> bytes:
        """Name the query in 16 bytes: the same for the same question, however it was written."""
        if not self._digest:  # a page's cursor is read, and the next one's is written
            self._digest.append(self._make_digest())
        return self._digest[0]

    def _make_digest(self) -> bytes:
        question = [
            self.timeline,
            self.window,
            self.relation,
            self.certainty,
            sorted((name, sorted(set(values))) for name, values in self.facets.items() if values),
            self.overdue,
            self.disputed,
            self.text,
            self.sort,
            self.known_at,
        ]
        return hashlib.sha256(json.dumps(question).encode("utf-8", "surrogatepass")).digest()[:16]
