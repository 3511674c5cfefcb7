"""The parameters of paths and of a range query."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.api.problems import InvalidParameters
from service.dates import Answer, Relation, parse_window
from service.store.counting import Count
from service.store.query import EventQuery, Sort
from service.wire.event import Status
from service.wire.values import SLUG_PATTERN, Slug

TimelineSlug = Annotated[
    str, Path(max_length=80, pattern=SLUG_PATTERN, description="A timeline's slug.", examples=["syria-2013"])
]
EventId = Annotated[UUID, Path(description="An event's identity.")]

PAGE_EVENTS = 50
MOST_PAGE_EVENTS = 200
Limit = Annotated[int, Query(ge=1, le=MOST_PAGE_EVENTS, description="The most items of a page.")]
Cursor = Annotated[str | None, Query(min_length=1, max_length=500, description="`next` of the page before, as it is.")]
Values = Annotated[list[Slug], Field(max_length=50)]


def _check_window(text: str) -> str:
    parse_window(text)
    return text


class FilterParameters(BaseModel):
    """Which events are meant: what a range query and the change feed have in common."""

    model_config = ConfigDict(frozen=True)

    datetime: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_window)] | None = Field(
        None,
        description="The window of time: an EDTF expression, or `a/b` with `..` for an open end. It is widened "
        "to whole units: `2013-02-20/2013-02-28` ends on 1 March at 00:00.",
        examples=["2013-02"],
    )
    relation: Literal["intersects", "within", "contains", "before", "after"] = Field(
        "intersects", description="How an event must stand to the window."
    )
    certainty: Literal["possible", "certain"] = Field(
        "possible", description="`possible`: what may stand so; `certain`: what must, whatever its true date."
    )
    status: list[Status] = Field([], max_length=50, description="Any of these.")
    kind: Values = Field([], description="Any of these.")
    actor: Values = Field([], description="Any of these takes part.")
    place: Values = Field([], description="At any of these.")
    topic: Values = Field([], description="About any of these.")
    source: Values = Field([], description="Claimed by any of these.")
    overdue: bool | None = Field(
        None, description="Planned or tentative, though its latest end has passed; or the others."
    )
    q: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] | None = Field(
        None,
        description="Words in title, summary, names and quotes, as one types them into a search engine: "
        "quoted phrases, `or`, `-not`.",
    )

    def query(self, timeline: str | None) -> EventQuery:
        """Say which events are meant in the domain's terms; `timeline` is None for all of them."""
        return EventQuery(
            timeline=timeline,
            window=None if self.datetime is None else parse_window(self.datetime),
            relation=Relation(self.relation),
            certainty=Answer(self.certainty),
            facets={
                "status": tuple(self.status),
                "kind": tuple(self.kind),
                "actor": tuple(self.actor),
                "place": tuple(self.place),
                "topic": tuple(self.topic),
                "source": tuple(self.source),
            },
            overdue=self.overdue,
            text=self.q,
        )


class EventParameters(FilterParameters):
    """Which events, in which order, how many: the query string of a range query."""

    sort: Sort = Field(
        "date",
        description="By the earliest start (`date`, `-date`), the newest record (`-recorded`), or how well `q` "
        "is met (`relevance`).",
    )
    limit: int | None = Field(
        None,
        ge=1,
        le=MOST_PAGE_EVENTS,
        description=f"The most events of a page: {PAGE_EVENTS} when absent. As NDJSON all are sent when absent.",
    )
    cursor: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="`next` of the page before, as it is, with the same filters."
    )
    count: Count = Field(
        "none",
        description="Whether to count all that match: `estimated` is exact up to a thousand and cheap, `exact` "
        "is exact and may be slow.",
    )
    format: Literal["json", "ndjson"] | None = Field(
        None, description="The representation, where a link cannot say `Accept`."
    )

    def query(self, timeline: str | None) -> EventQuery:
        """Say what is asked for in the domain's terms; `timeline` is None for all of them.

        Raises InvalidParameters where the parameters contradict each other.
        """
        if self.sort == "relevance" and self.q is None:
            raise InvalidParameters({"sort": "relevance needs q"})
        return replace(super().query(timeline), sort=self.sort)
