"""Events over HTTP, one at a time; `service.api.listing` lists them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.api import answers
from service.api.access import Reader
from service.api.etag import CreateOnly, IfMatch, IfNoneMatch, etag, expectation, is_known, known_versions
from service.api.freshness import ReadStore
from service.api.known import KnownAt
from service.api.parameters import EventId, TimelineSlug
from service.api.strict import StrictRoute
from service.api.writing import RepeatableWrite, Write
from service.store import events
from service.store.statement import Connection
from service.wire.event import Event, EventBody
from service.wire.shape import document_shape
from service.wire.values import Phrase

router = APIRouter(tags=["Events"], route_class=StrictRoute)


@router.post(
    "/timelines/{timeline}/events",
    status_code=201,
    response_model=Event,
    responses=answers.problems(400, 401, 403, 404, 409, 413, 415, 422)
    | {201: {"description": "Created.", **answers.headers("ETag", "Location")}},
)
async def create_event(timeline: TimelineSlug, body: EventBody, write: RepeatableWrite) -> Response:
    """Record an event.

    The service gives it an identity (a UUID of version 7). Actors, places and sources that it names must be in the
    directory; names that are left out are those of the directory now.
    """

    async def create(connection: Connection) -> Response:
        event_id, stored = await events.create_event(connection, timeline, body, write.caller)
        headers = {"Location": event_path(timeline, str(event_id))}
        return answers.written(stored, status=201, headers=headers)

    return await write.do(create)


@router.get(
    "/timelines/{timeline}/events/{event}",
    response_model=Event,
    responses=answers.problems(400, 401, 404, 410)
    | {
        200: {"description": "The event.", **answers.headers("ETag")},
        304: {"description": "You hold it already."},
    },
)
async def get_event(
    timeline: TimelineSlug,
    event: EventId,
    store: ReadStore,
    caller: Reader,
    if_none_match: IfNoneMatch = None,
    known_at: KnownAt = None,
) -> Response:
    """Read an event.

    Its `ETag` is the version that it is now, or was at `known_at`; with `If-None-Match` you are told if you hold that
    already. What had been deleted by then is a 410.
    """
    known = known_versions(if_none_match, document_shape())
    async with store.read() as connection:
        found = await events.get_event(connection, timeline, event, caller, known=known, known_at=known_at)
    tag = etag(found.version, found.shape)
    if found.document is None or is_known(if_none_match, found.version, found.shape):
        return answers.not_modified(tag)
    return answers.document(found.document, tag)


@router.put(
    "/timelines/{timeline}/events/{event}",
    response_model=Event,
    responses=answers.problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 428)
    | {
        200: {"description": "Replaced.", **answers.headers("ETag")},
        201: {"description": "Created.", "model": Event, **answers.headers("ETag", "Location")},
    },
)
async def put_event(
    timeline: TimelineSlug,
    event: EventId,
    body: EventBody,
    write: Write,
    if_match: IfMatch = None,
    if_none_match: CreateOnly = None,
) -> Response:
    """Record an event under an identity of your own, or replace it.

    The identity is a UUID. Replacing needs `If-Match`. Its links stay. A new date moves the old one to `previously`.
    """

    async def put(connection: Connection) -> Response:
        expected = expectation(if_match, if_none_match)
        stored, created = await events.put_event(connection, timeline, event, body, expected, write.caller)
        if not created:
            return answers.written(stored)
        headers = {"Location": event_path(timeline, str(event))}
        return answers.written(stored, status=201, headers=headers)

    return await write.do(put)


@router.delete(
    "/timelines/{timeline}/events/{event}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404, 410, 409, 412, 428) | {204: {"description": "Deleted."}},
)
async def delete_event(
    timeline: TimelineSlug,
    event: EventId,
    write: Write,
    if_match: IfMatch = None,
    reason: Annotated[
        Phrase | None,
        Query(description="Why it is deleted, for the history and for who asks for it.", examples=["Entered twice."]),
    ] = None,
) -> Response:
    """Delete an event.

    It leaves a tombstone: a 410 that says when, by whom and why. Its history stays, and what was known of it before
    (`known_at`). While other events are linked to it, it cannot go. A PUT brings it back.
    """

    async def delete(connection: Connection) -> Response:
        await events.retire_event(connection, timeline, event, expectation(if_match), write.caller, reason=reason)
        return Response(status_code=204)

    return await write.do(delete)


def event_path(timeline: str, event: str) -> str:
    """Give an event's address, relative to the service."""
    return f"/v1/timelines/{timeline}/events/{event}"
