"""What changed between two instants, over HTTP: JSON, or text to be read in the morning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema

from service.api import answers
from service.api.access import Reader
from service.api.freshness import ReadStore
from service.api.known import Clock
from service.api.negotiation import choose
from service.api.parameters import PAGE_EVENTS, Cursor, Limit, TimelineSlug
from service.api.problems import InvalidParameters
from service.api.strict import StrictRoute
from service.dates import format_instant
from service.store.comparison import compare_states, stream_changes
from service.store.cursor import Cursors
from service.store.query import Caller
from service.store.replica import Readable
from service.store.timelines import check_timeline
from service.wire.comparison import HEADINGS, Comparison, Summary, sort_out

router = APIRouter(tags=["History"], route_class=StrictRoute)

_MEDIA_TYPES = {"json": answers.JSON, "text": answers.TEXT}
_VARY = {"Vary": "Accept"}


@router.get(
    "/timelines/{timeline}/diff",
    response_model=Comparison,
    responses=answers.problems(400, 401, 404, 406)
    | {
        200: {
            "description": "A page of what changed; as text, all of it, to be read by people.",
            "content": {answers.TEXT: {"schema": {"type": "string", "description": "A line for each change."}}},
            **answers.headers("Link"),
        }
    },
)
async def compare_timeline(
    request: Request,
    timeline: TimelineSlug,
    store: ReadStore,
    caller: Reader,
    start: Annotated[
        Clock, Query(alias="from", description="As it was known then, read as `known_at` is.", examples=["2013-02-15"])
    ],
    end: Annotated[
        Clock,
        WithJsonSchema({"type": "string", "maxLength": 200, "format": "edtf-clock", "examples": ["2013-02-21"]}),
        Query(alias="to", description="As it was known then, read as `known_at` is.", examples=["2013-02-21"]),
    ],
    format: Annotated[  # noqa: A002  # the parameter's name in the contract
        Literal["json", "text"] | None,
        Query(description="The representation, where a link cannot say `Accept`.", examples=["text"]),
    ] = None,
    limit: Limit = PAGE_EVENTS,
    cursor: Cursor = None,
) -> Response:
    """Compare a timeline as it was known at two instants: what was added, moved, called off, confirmed, withdrawn.

    The two instants are of the reported clock, like `known_at`: what the world knew, whenever this store learned it.
    As JSON the changes come in pages, in the order in which they were reported; as text, all of them, heading by
    heading.
    """
    if start >= end:
        raise InvalidParameters({"to": "must be later than from"})
    media_type = choose(request, tuple(_MEDIA_TYPES.values())) if format is None else _MEDIA_TYPES[format]
    if media_type == answers.TEXT:
        return await _tell(request, timeline, store, caller, start, end)
    cursors = Cursors.of(await store.cursor_key(), "diff", timeline, start, end)
    after = cast("tuple[int, UUID] | None", cursors.read(cursor, int, UUID))
    async with store.read() as connection:
        await check_timeline(connection, timeline, caller)
        found = await compare_states(connection, timeline, start, end, limit=limit, after=after)
    following = cursors.write(found.end)
    page = Comparison.model_validate(_instants(start, end) | sort_out(found.pairs) | {"next": following})
    headers = _VARY | answers.next_header(request, following)
    return Response(page.model_dump_json(by_alias=True), 200, headers, media_type)


async def _tell(
    request: Request, timeline: str, store: Readable, caller: Caller, start: int, end: int
) -> answers.HeldStream:
    """Send all changes as text, from one view of the store; the first are read before the answer begins."""
    for name in ("cursor", "limit"):
        if name in request.query_params:
            raise InvalidParameters({name: "has no meaning for text, which tells all changes"})
    async with AsyncExitStack() as opening:
        connection = await opening.enter_async_context(store.export())
        await check_timeline(connection, timeline, caller)
        first = await compare_states(connection, timeline, start, end)
        held = opening.pop_all()
    summary = Summary(*_instants(start, end).values())

    async def parts() -> AsyncIterator[bytes]:
        yield summary.beginning.encode()
        # The changes are walked once for each heading that there is, so that none is kept for a later one. The walk
        # for the first one tells which there are.
        there = {next(iter(HEADINGS))}
        for kind in HEADINGS:
            if kind not in there:
                continue
            async for pairs in stream_changes(connection, timeline, start, end, first):
                lists = sort_out(pairs)
                there |= {name for name, changed in lists.items() if changed}
                if lists[kind]:
                    yield summary.part(kind, lists[kind]).encode()
        yield summary.end.encode()

    return answers.HeldStream(
        parts(),
        held,
        media_type=answers.TEXT,
        headers=_VARY,
        clients=request.app.state.clients,
        send_timeout_seconds=request.app.state.settings.export_send_timeout_seconds,
    )


def _instants(start: int, end: int) -> dict[str, str]:
    return {"from": format_instant(start) or "", "to": format_instant(end) or ""}
