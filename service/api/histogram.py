"""How many events there are when, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from service.api import answers
from service.api.access import Reader
from service.api.freshness import ReadStore
from service.api.known import KNOWN_AT, Clock
from service.api.parameters import EventFilters, TimelineSlug, WindowText
from service.api.problems import InvalidParameters
from service.api.strict import StrictRoute
from service.dates import Unit, format_instant
from service.store.histogram import MOST_BUCKETS, read_histogram
from service.store.timelines import check_timeline
from service.wire.histogram import Histogram

router = APIRouter(tags=["Events"], route_class=StrictRoute)


class HistogramParameters(EventFilters):
    """Which buckets, and which events are counted in them."""

    by: Literal["day", "week", "month", "quarter", "year", "decade", "century"] = Field(
        description="The unit of the calendar that a bucket is. Weeks begin on Monday (ISO 8601). Decades and "
        "centuries are those of EDTF: `201X` is 2010 to 2019, `-000X` the nine years before year 0.",
        examples=["month"],
    )
    datetime: WindowText | None = Field(
        None,
        description="Which buckets: all that meet this window, an EDTF expression, or `a/b` with `..` for an open end. "
        "Where an end is open, or without a window, they go as far as events certainly or possibly begin or end.",
        examples=["2013", "2013-02-20/2013-02-28"],
    )
    known_at: Clock | None = Field(None, description=KNOWN_AT, examples=["2013-02-15"])


@router.get(
    "/timelines/{timeline}/histogram",
    response_model=Histogram,
    responses=answers.problems(400, 401, 404) | {200: {"description": "The buckets."}},
)
async def get_histogram(
    timeline: TimelineSlug, parameters: Annotated[HistogramParameters, Query()], store: ReadStore, caller: Reader
) -> Response:
    """Count the events of a timeline by days, weeks, months or other units of the calendar.

    A bucket's counts are those of a range query whose window is the bucket: of the events that `certain` lie in it, at
    least in part, and of those that may. So one event counts in every bucket that it certainly or possibly touches.
    The filters are those of the range query, `known_at` among them; `datetime` says which buckets are given, not which
    events are counted. Buckets follow upon each other, from a first to a last one, those that hold nothing included.

    What has no beginning or no end lies in all buckets on that side, but does not draw it out: without a window, the
    first bucket is the earliest in which an event certainly or possibly begins or ends, the last one the latest. There
    are never more than 5,000: a 400 asks for a longer unit or a narrower window.
    """
    query = replace(parameters.query(timeline), known_at=parameters.known_at)
    async with store.read() as connection:
        await check_timeline(connection, timeline, caller)
        found = await read_histogram(connection, query, caller, Unit(parameters.by))
    if len(found) > MOST_BUCKETS:
        many = f"would be {len(found):,} buckets, and there are at most {MOST_BUCKETS:,}: take a longer unit"
        raise InvalidParameters({"by": many, "datetime": "or take a narrower window"})
    items = b",".join(
        b'{"from":"%b","to":"%b","certain":%d,"possible":%d}'
        % (_written(one.start), _written(one.end), one.certain, one.possible)
        for one in found
    )
    return Response(b'{"items":[%b]}' % items, 200, media_type=answers.JSON)


def _written(instant: int) -> bytes:
    return str(format_instant(instant)).encode()
