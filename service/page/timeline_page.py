"""The timeline page: a story's events in order, each date in words, by window and certainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from service.api.access import Reader
from service.api.events import event_path
from service.api.freshness import ReadStore
from service.api.representations import FORMATS
from service.dates import Answer, EdtfError, Relation, Window, parse, parse_window, relate
from service.formats.prose import sentence_of
from service.page.routes import PageRoute
from service.page.templates import page
from service.store.directory import TIMELINES, get_entry, list_entries
from service.store.paging import read_page
from service.store.query import Caller, EventQuery
from service.store.statement import Connection
from service.wire.directory import Timeline
from service.wire.event import Event
from service.wire.shape import upgraded

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_MOST_TIMELINES = 200
_MOST_EVENTS = 200
_CALLED = {
    "json": "data",
    "csv": "a table",
    "ics": "a calendar",
    "atom": "a feed",
    "geojson": "a map layer",
    "svg": "a picture",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """An event as it is shown: its date in words, its answer to the window if there is one, what it leads to.

    `formerly` are the dates that were given up, in words, and why; `links` are relation, address and title.
    """

    event: Event
    words: str
    answer: Answer | None
    formerly: list[tuple[str, str | None]]
    links: list[tuple[str, str, str]]


class Form(NamedTuple):
    """Another form of what is shown: what a reader calls it, where it is, its media type."""

    called: str
    address: str
    media_type: str


@router.get("/")
async def timeline_page(
    store: ReadStore,
    caller: Reader,
    timeline: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
    datetime: Annotated[str, Query(max_length=200)] = "",
    certainty: Literal["possible", "certain"] = "possible",
) -> HTMLResponse:
    """Show a timeline, or the only one there is, or a list to choose from."""
    window, refused = None, None
    try:
        window = parse_window(datetime) if datetime else None
    except EdtfError as error:
        refused = str(error)
    async with store.read() as connection:
        timelines, chosen = await _choose(connection, caller, timeline)
        events: list[Event] = []
        has_more = False
        if chosen is not None and refused is None:
            query = EventQuery(chosen.slug, window=window, certainty=Answer(certainty))
            rows = await read_page(connection, query, caller, limit=_MOST_EVENTS, after=None)
            has_more = rows.end is not None
            events = [Event.model_validate_json(upgraded(one)) for one in rows.documents]
    asked = {"datetime": datetime, "certainty": certainty} if datetime else {}
    return page(
        "timeline.html",
        status=200 if refused is None else 400,
        timelines=timelines,
        chosen=chosen,
        shown=shown(events, window),
        has_more=has_more,
        refused=refused,
        datetime=datetime,
        certainty=certainty,
        forms=[] if chosen is None else _forms(chosen, asked),
    )


async def _choose(
    connection: Connection, caller: Caller, timeline: str | None
) -> tuple[Sequence[Timeline], Timeline | None]:
    """Find the timeline that is asked for, or the only one; else those to choose from. Raises NotFound."""
    if timeline:
        chosen, _ = await get_entry(connection, TIMELINES, timeline, caller)
        return (), chosen
    listed = await list_entries(connection, TIMELINES, caller, after=None, limit=_MOST_TIMELINES)
    return listed.items, listed.items[0] if len(listed.items) == 1 else None


def _forms(timeline: Timeline, asked: dict[str, str]) -> list[Form]:
    """Say where the same events are in other forms."""
    events = f"/v1/timelines/{timeline.slug}/events"
    forms = []
    for name, called in _CALLED.items():
        # those that come in pages: as many as are shown here, in this order
        form = {"limit": str(_MOST_EVENTS)} if name in ("json", "atom", "svg") else {}
        form |= {"sort": "date"} if name == "atom" else {}
        form |= {"format": name} if name != "json" else {}
        forms.append(Form(called, f"{events}?{urlencode(asked | form)}", FORMATS[name]))
    return forms


def shown(events: Sequence[Event], window: Window | None) -> list[Shown]:
    """Prepare events for the page; a link to one of them leads to its place there, any other to its data."""
    titles = {event.id: event.title for event in events}

    def link(rel: str, timeline: str, other: UUID) -> tuple[str, str, str]:
        said = rel.replace("_", " ")
        if other in titles:
            return said, f"#e-{other}", titles[other]
        return said, event_path(timeline, str(other)), "an event that is not shown"

    return [
        Shown(
            event=event,
            words=sentence_of(event.when),
            answer=None if window is None else relate(Relation.INTERSECTS, parse(event.when), window),
            formerly=[(sentence_of(one.when), one.reason) for one in event.previously],
            links=[link(one.rel, event.timeline, one.event) for one in event.links],
        )
        for event in events
    ]
