"""What changed between two instants, over HTTP: JSON, or text to be read in the morning."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema

from service.api import answers
from service.api.access import Reader, Store
from service.api.known import Clock
from service.api.negotiation import choose
from service.api.parameters import TimelineSlug
from service.api.problems import InvalidParameters
from service.api.strict import StrictRoute
from service.dates import format_instant
from service.store.comparison import compare_states
from service.store.timelines import check_timeline
from service.wire.comparison import Comparison, compare, summary
from service.wire.event import Event

router = APIRouter(tags=["History"], route_class=StrictRoute)

_MOST_CHANGES = 1_000
_MEDIA_TYPES = {"json": answers.JSON, "text": answers.TEXT}
_VARY = {"Vary": "Accept"}


@router.get(
    "/timelines/{timeline}/diff",
    response_model=Comparison,
    responses=answers.problems(400, 401, 404, 406)
    | {
        200: {
            "description": "What changed; as text, to be read by people.",
            "content": {answers.TEXT: {"schema": {"type": "string", "description": "A line for each change."}}},
            **answers.headers("Vary"),
        }
    },
)
async def compare_timeline(
    request: Request,
    timeline: TimelineSlug,
    store: Store,
    caller: Reader,
    start: Annotated[
        Clock, Query(alias="from", description="As it was known then, read as `known_at` is.", examples=["2013-02-15"])
    ],
    end: Annotated[
        Clock,
        WithJsonSchema({"type": "string", "maxLength": 200, "examples": ["2013-02-21"]}),
        Query(alias="to", description="As it was known then, read as `known_at` is.", examples=["2013-02-21"]),
    ],
    format: Annotated[  # noqa: A002  # the parameter's name in the contract
        Literal["json", "text"] | None,
        Query(description="The representation, where a link cannot say `Accept`.", examples=["text"]),
    ] = None,
) -> Response:
    """Compare a timeline as it was known at two instants: what was added, moved, called off, confirmed, withdrawn.

    The two instants are of the reported clock, like `known_at`: what the world knew, whenever this store learned it.
    """
    if start >= end:
        raise InvalidParameters({"to": "must be later than from"})
    media_type = choose(request, tuple(_MEDIA_TYPES.values())) if format is None else _MEDIA_TYPES[format]
    async with store.read() as connection:
        await check_timeline(connection, timeline, caller)
        pairs, more = await compare_states(connection, timeline, start, end, limit=_MOST_CHANGES)
    comparison = compare(
        format_instant(start) or "",
        format_instant(end) or "",
        [(_event(before), _event(now), reason) for before, now, reason in pairs],
        more=more,
    )
    content = summary(comparison) if media_type == answers.TEXT else comparison.model_dump_json(by_alias=True)
    return Response(content, 200, _VARY, media_type)


def _event(document: bytes | None) -> Event | None:
    return None if document is None else Event.model_validate_json(document)
