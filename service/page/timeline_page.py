"""The timeline page: a story's events in order, each date in words, by window and certainty."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, HTMLResponse

from service.api.access import Reader, Store
from service.dates import Answer, EdtfError, describe, parse, parse_window
from service.page.templates import page
from service.store.directory import TIMELINES, list_entries
from service.store.paging import read_page
from service.store.query import EventQuery
from service.store.timelines import check_timeline
from service.wire.event import Event

router = APIRouter(include_in_schema=False)

_STYLE = Path(__file__).with_name("style.css")
_MOST_TIMELINES = 200
_MOST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """An event and its date in words."""

    event: Event
    words: str


@router.get("/")
async def timeline_page(
    store: Store,
    caller: Reader,
    timeline: Annotated[str | None, Query(max_length=80)] = None,
    datetime: Annotated[str, Query(max_length=200)] = "",
    certainty: Literal["possible", "certain"] = "possible",
) -> HTMLResponse:
    """Show a timeline, or the only one there is, or a list to choose from."""
    async with store.read() as connection:
        listed = await list_entries(connection, TIMELINES, caller, after=None, limit=_MOST_TIMELINES)
        timelines = listed.items
        chosen = timeline or (timelines[0].slug if len(timelines) == 1 else None)
        shown: list[Shown] = []
        has_more, refused = False, None
        if chosen is not None:
            await check_timeline(connection, chosen, caller)
            try:
                window = parse_window(datetime) if datetime else None
            except EdtfError as error:
                refused = str(error)
            else:
                query = EventQuery(chosen, window=window, certainty=Answer(certainty))
                rows = await read_page(connection, query, caller, limit=_MOST_EVENTS, after=None)
                has_more = rows.end is not None
                events = [Event.model_validate_json(one) for one in rows.documents]
                shown = [Shown(one, describe(parse(one.when))) for one in events]
    return page(
        "timeline.html",
        status=200 if refused is None else 400,
        timelines=timelines,
        chosen=next((one for one in timelines if one.slug == chosen), None),
        shown=shown,
        has_more=has_more,
        refused=refused,
        datetime=datetime,
        certainty=certainty,
    )


@router.get("/style.css")
async def style() -> FileResponse:
    """Give the pages their look."""
    return FileResponse(_STYLE, media_type="text/css")
