"""The parameters of paths and of a range query."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.api.known import KNOWN_AT, Clock
from service.api.problems import InvalidParameters
from service.dates import Answer, Relation, parse_window
from service.store.counting import Count
from service.store.query import EventQuery, Sort
from service.wire.event import Status
from service.wire.values import AS_CURSOR, SLUG_PATTERN, Slug

TimelineSlug = Annotated[
    str, Path(max_length=80, pattern=SLUG_PATTERN, description="A timeline's slug.", examples=["syria-2013"])
]
EventId = Annotated[UUID, Path(description="An event's identity.", examples=["4def6a9b-b88d-5d37-8fc0-e2d2abbca673"])]

PAGE_EVENTS = 50
MOST_PAGE_EVENTS = 200
Limit = Annotated[int, Query(ge=1, le=MOST_PAGE_EVENTS, description="The most items of a page.", examples=[50])]
_A_CURSOR = "AAAAAFEb9wAAAAAA0Zxve5mA5USbKrbBQmwOn1M"
Cursor = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=500,
        description="`next` of the page before, as it is.",
        examples=[_A_CURSOR],
        json_schema_extra=AS_CURSOR,
    ),
]
Values = Annotated[list[Slug], Field(max_length=50)]
RelationName = Literal["intersects", "within", "contains", "before", "after"]
Certainty = Literal["possible", "certain"]
EventFormat = Literal["json", "ndjson", "csv", "ics", "atom", "geojson", "jsonld", "timelinejs", "svg"]


# PostgreSQL's reader of queries has a stack for about thirty that wait for their word.
_DENIALS = re.compile(r"(?:-[^\w\"]*){21}")


# A window is read to check it, and to ask for it; and the same ones are asked for again.
_window = lru_cache(maxsize=1024)(parse_window)


def _check_window(text: str) -> str:
    _window(text)
    return text


WindowText = Annotated[
    str,
    Field(min_length=1, max_length=200, json_schema_extra={"format": "edtf-window"}),
    AfterValidator(_check_window),
]


class EventFilters(BaseModel):
    """Which events are meant, wherever a window is asked for."""

    model_config = ConfigDict(frozen=True)

    datetime: WindowText | None = Field(
        None,
        description="The window of time: an EDTF expression such as `2013-02-25`, or `a/b` with `..` for "
        "an open end. It is widened to whole units: `2013-02-20/2013-02-28` ends on 1 March at 00:00.",
        examples=["2013-02-25", "2013-02-20/2013-02-28", "../1914-07-28"],
    )
    status: list[Status] = Field([], max_length=50, description="Of any of these.", examples=[["cancelled"]])
    kind: Values = Field([], description="Of any of these sorts, such as `meeting`.", examples=[["meeting", "visit"]])
    actor: Values = Field(
        [],
        description="Any of these takes part: slugs of the directory, such as `ali-haider`.",
        examples=[["ali-haider"]],
    )
    place: Values = Field(
        [], description="At any of these: slugs of the directory, such as `moscow`.", examples=[["moscow"]]
    )
    topic: Values = Field([], description="About any of these, such as `negotiations`.", examples=[["negotiations"]])
    source: Values = Field(
        [],
        description="Claimed by any of these: slugs of the directory, such as `ballout-2013-02-20`.",
        examples=[["ballout-2013-02-20"]],
    )
    overdue: bool | None = Field(
        None,
        description="`true`: planned or tentative, though the latest end has passed; `false`: the others.",
        examples=[False],
    )
    disputed: bool | None = Field(
        None,
        description="`true`: one of its claims asserts another status, or a date that excludes its own; `false`: the "
        "others.",
        examples=[False],
    )
    q: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] | None = Field(
        None,
        description="Words in title, summary, names and quotes, as one types them into a search engine: "
        "quoted phrases, `or`, `-not`.",
        examples=["Haider"],
    )

    def query(self, timeline: str | None, **others: Any) -> EventQuery:  # noqa: ANN401  # of several types
        """Say which events are meant in the domain's terms; `timeline` is None for all of them.

        `others` are members of the query that more parameters decide. Raises InvalidParameters for words that the
        database would take too long to read.
        """
        if self.q is not None and _DENIALS.search(self.q):
            raise InvalidParameters({"q": "has too many minus signs without a word between them"})
        return EventQuery(
            timeline=timeline,
            window=None if self.datetime is None else _window(self.datetime),
            facets={
                "status": tuple(self.status),
                "kind": tuple(self.kind),
                "actor": tuple(self.actor),
                "place": tuple(self.place),
                "topic": tuple(self.topic),
                "source": tuple(self.source),
            },
            overdue=self.overdue,
            disputed=self.disputed,
            text=self.q,
            **others,
        )


class FilterParameters(EventFilters):
    """Which events are meant: what a range query and the change feed have in common."""

    relation: RelationName = Field(
        "intersects", description="How an event must stand to the window; it needs `datetime`.", examples=["within"]
    )
    certainty: Certainty = Field(
        "possible",
        description="`possible`: what may stand so; `certain`: what must, whatever its true date.",
        examples=["certain"],
    )

    def query(self, timeline: str | None, **others: Any) -> EventQuery:  # noqa: ANN401  # as above
        """Say which events are meant in the domain's terms; `timeline` is None for all of them.

        Raises InvalidParameters for words that the database would take too long to read, and for a relation to nothing.
        """
        if self.datetime is None and "relation" in self.model_fields_set:
            raise InvalidParameters({"relation": "needs datetime: without a window everything would stand so"})
        return super().query(timeline, relation=Relation(self.relation), certainty=Answer(self.certainty), **others)


class EventParameters(FilterParameters):
    """Which events, in which order, how many: the query string of a range query."""

    known_at: Clock | None = Field(None, description=KNOWN_AT, examples=["2013-02-15"])
    sort: Sort = Field(
        "date",
        description="By the earliest start (`date`, `-date`), the newest record (`-recorded`), or how well `q` "
        "is met (`relevance`).",
        examples=["-date"],
    )
    limit: int | None = Field(
        None,
        ge=1,
        le=MOST_PAGE_EVENTS,
        description=f"The most events: {PAGE_EVENTS} of a page when absent, and all where there are no pages.",
        examples=[50],
    )
    cursor: Annotated[str, Field(min_length=1, max_length=500, json_schema_extra=AS_CURSOR)] | None = Field(
        None, description="`next` of the page before, as it is, with the same filters.", examples=[_A_CURSOR]
    )
    count: Count = Field(
        "none",
        description="Whether to count all that match: `estimated` is exact up to a thousand and cheap, `exact` "
        "may be slow, and is exact where that can be had in time. A `count_is` of `estimated` says what is not exact.",
        examples=["exact"],
    )
    format: EventFormat | None = Field(
        None, description="The representation, where a link cannot say `Accept`.", examples=["ics"]
    )

    def query(self, timeline: str | None, **others: Any) -> EventQuery:  # noqa: ANN401  # as above
        """Say what is asked for in the domain's terms; `timeline` is None for all of them.

        Raises InvalidParameters where the parameters contradict each other.
        """
        if self.sort == "relevance" and self.q is None:
            raise InvalidParameters({"sort": "relevance needs q"})
        return super().query(timeline, sort=self.sort, known_at=self.known_at, **others)
