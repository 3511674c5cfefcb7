"""The representations of a list of events beside JSON's own pages: who writes them, and what they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from service.api.answers import JSON, NDJSON, link
from service.formats import atom, csv, geojson, ical, jsonld, svg, timelinejs
from service.formats.ndjson import NdjsonWriter
from service.formats.writing import Collection, Writer
from service.wire.directory import Timeline


@dataclass(frozen=True, slots=True)
class Streamed:
    """A representation of all events that are asked for, written as they are read.

    `parameters` of its media type say more of it; `has_places`: it says where its events' places are; `takes_time`: its
    events are read and written anew, not passed on.
    """

    writer: Callable[[Collection], Writer]
    suffix: str
    parameters: str = ""
    has_places: bool = False
    takes_time: bool = True


STREAMED: Final[dict[str, Streamed]] = {
    NDJSON: Streamed(lambda _: NdjsonWriter(), "ndjson", takes_time=False),
    csv.MEDIA_TYPE: Streamed(lambda _: csv.CsvWriter(), "csv", "; charset=utf-8; header=present"),
    ical.MEDIA_TYPE: Streamed(ical.ICalendarWriter, "ics", "; charset=utf-8", has_places=True),
    geojson.MEDIA_TYPE: Streamed(lambda _: geojson.GeoJsonWriter(), "geojson", has_places=True),
    jsonld.MEDIA_TYPE: Streamed(jsonld.JsonLdWriter, "jsonld", has_places=True),
    timelinejs.MEDIA_TYPE: Streamed(timelinejs.TimelineJsWriter, "json"),
}
# What `format=` may be, and which media type that is.
FORMATS: Final[dict[str, str]] = {
    "json": JSON,
    "ndjson": NDJSON,
    "csv": csv.MEDIA_TYPE,
    "ics": ical.MEDIA_TYPE,
    "atom": atom.MEDIA_TYPE,
    "geojson": geojson.MEDIA_TYPE,
    "jsonld": jsonld.MEDIA_TYPE,
    "timelinejs": timelinejs.MEDIA_TYPE,
    "svg": svg.MEDIA_TYPE,
}
MEDIA_TYPES: Final = tuple(FORMATS.values())
NAMES: Final = {media_type: name for name, media_type in FORMATS.items()}


def _text(said: str) -> dict[str, Any]:
    return {"schema": {"type": "string", "description": said}}


def _object(said: str, /, **members: object) -> dict[str, Any]:
    """Describe an object that has these members, and no others."""
    described = {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}
    return {"schema": described | {"description": said}}


def _list(said: str) -> dict[str, Any]:
    return {"type": "array", "items": {"description": said}}


# What the published document says of each.
DOCUMENTED: Final[dict[str, Any]] = {
    NDJSON: _text("An event a line, ended by LF."),
    csv.MEDIA_TYPE: _text("An event a record (RFC 4180), as an import takes it; the first names the columns."),
    ical.MEDIA_TYPE: _text("An event an entry (RFC 5545), but for those that lie outside of the years 1 to 9999."),
    atom.MEDIA_TYPE: _text("A page of events, an event an entry (RFC 4287)."),
    geojson.MEDIA_TYPE: _object(
        "A collection of features (RFC 7946).",
        type={"type": "string", "const": "FeatureCollection"},
        features=_list("An event at its place, without a geometry where none is known; its properties are the event."),
    ),
    jsonld.MEDIA_TYPE: _object(
        "A graph of JSON-LD 1.1.",
        **{
            "@context": _list("Whose words these are."),
            "@graph": _list("An event as a `schema:Event`, whose date is `dcterms:date`, too."),
        },
    ),
    timelinejs.MEDIA_TYPE: _object(
        "A timeline of TimelineJS 3.",
        title={"description": "What it is called, as the first slide."},
        events=_list("An event as a slide, its date in words."),
    ),
    svg.MEDIA_TYPE: _text("A page of events, drawn: where each possibly and certainly lies."),
}


def collection_of(
    request: Request, timeline: Timeline | None, media_type: str, *, cursor: str | None = None
) -> Collection:
    """Say what is asked for; None: events of all timelines."""
    if timeline is None:
        title, description = "Dateline", None
    else:
        title, description = timeline.title, timeline.description
    return Collection(title, description, service_address(request), own_address(request, media_type, cursor=cursor))


def service_address(request: Request) -> str:
    """Give the service's own address, as whoever asks knows it, without a slash behind it."""
    return str(request.base_url).rstrip("/")


def own_address(request: Request, media_type: str, *, cursor: str | None = None) -> str:
    """Give the absolute address of a page in this representation; the first one without a cursor.

    It says which representation: who follows it later asks for anything.
    """
    return service_address(request) + link(request, format=NAMES[media_type], cursor=cursor)


def file_name(timeline: str | None, suffix: str) -> str:
    """Name the file that a browser may keep it as (RFC 6266): a slug has no character that needs more than quotes."""
    return f'inline; filename="{timeline or "dateline"}.{suffix}"'
