"""Links over HTTP: how events of a timeline are tied to each other."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from service.api import answers
from service.api.etag import IfMatch, expectation
from service.api.parameters import EventId, TimelineSlug
from service.api.strict import StrictRoute
from service.api.writing import Write
from service.store import events
from service.store.statement import Connection
from service.wire.event import Event, Link, Rel

router = APIRouter(tags=["Links"], route_class=StrictRoute)

LinkRel = Annotated[
    Rel, Path(description="What this event does to the other, or how it stands to it.", examples=["follows"])
]
Other = Annotated[
    UUID,
    Path(
        description="The identity of the other event, of the same timeline.",
        examples=["b307172c-4282-5f64-bcbd-97c3f3a2e77a"],
    ),
]


@router.put(
    "/timelines/{timeline}/events/{event}/links/{rel}/{other}",
    response_model=Event,
    responses=answers.problems(400, 401, 403, 404, 410, 412, 422)
    | {
        200: {"description": "It is there already.", **answers.headers("ETag")},
        201: {"description": "Tied.", "model": Event, **answers.headers("ETag")},
    },
)
async def put_link(
    timeline: TimelineSlug,
    event: EventId,
    rel: LinkRel,
    other: Other,
    write: Write,
    if_match: IfMatch = None,
) -> Response:
    """Tie an event to another of its timeline.

    The answer is the event as it is then; a new link is a new version of it. `If-Match` is not needed, and is heeded
    where it is sent.
    """
    link = Link(rel=rel, event=other)

    async def tie(connection: Connection) -> Response:
        stored, created = await events.put_link(connection, timeline, event, link, expectation(if_match), write.caller)
        return answers.written(stored, status=201 if created else 200)

    return await write.do(tie)


@router.delete(
    "/timelines/{timeline}/events/{event}/links/{rel}/{other}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404, 410, 412)
    | {204: {"description": "Untied.", **answers.headers("ETag")}},
)
async def delete_link(
    timeline: TimelineSlug,
    event: EventId,
    rel: LinkRel,
    other: Other,
    write: Write,
    if_match: IfMatch = None,
) -> Response:
    """Untie an event from another.

    It is a new version of the event, whose `ETag` is sent.
    """
    link = Link(rel=rel, event=other)

    async def untie(connection: Connection) -> Response:
        stored = await events.remove_link(connection, timeline, event, link, expectation(if_match), write.caller)
        return Response(status_code=204, headers={"ETag": answers.event_tag(stored.version)})

    return await write.do(untie)
