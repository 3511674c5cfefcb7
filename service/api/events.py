"""Events over HTTP: the range query, and one event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api import answers
from service.api.access import Reader
from service.api.etag import CreateOnly, IfMatch, IfNoneMatch, etag, expectation, is_known, known_versions
from service.api.freshness import ReadStore
from service.api.known import KnownAt
from service.api.negotiation import choose
from service.api.parameters import PAGE_EVENTS, EventId, EventParameters, TimelineSlug
from service.api.problems import InvalidParameters
from service.api.strict import StrictRoute
from service.api.writing import RepeatableWrite, Write
from service.settings import Settings
from service.store import events
from service.store.counting import count_events
from service.store.cursor import read_cursor, write_cursor
from service.store.paging import MOST_EVENTS, read_joined_page
from service.store.query import Caller, EventQuery
from service.store.replica import Readable
from service.store.statement import Connection
from service.store.stream import stream_documents
from service.store.timelines import check_timeline
from service.wire.event import Event, EventBody, EventPage
from service.wire.shape import document_shape
from service.wire.values import Phrase

router = APIRouter(tags=["Events"], route_class=StrictRoute)

_MEDIA_TYPES = {"json": answers.JSON, "ndjson": answers.NDJSON}
_VARY = {"Vary": "Accept"}
_PAGE_RESPONSES: answers.Responses = {
    200: {
        "description": "A page of events; as NDJSON, an event a line, all of them.",
        "content": {answers.NDJSON: {"schema": {"type": "string", "description": "An event a line, ended by LF."}}},
        **answers.headers("Link"),
    }
}


@router.get(
    "/timelines/{timeline}/events",
    response_model=EventPage,
    responses=answers.problems(400, 401, 404, 406) | _PAGE_RESPONSES,
)
async def list_events(
    request: Request,
    timeline: TimelineSlug,
    parameters: Annotated[EventParameters, Query()],
    store: ReadStore,
    caller: Reader,
) -> Response:
    """Find the events of a timeline in a window of time.

    An event's date is known only so far, and so is the answer: `certainty=possible` gives what may stand in the
    relation to the window, `certainty=certain` what must, whatever the true date is. Filters that take several
    values mean any of them; filters together mean all of them.
    """
    return await _answer(request, parameters, timeline, store, caller)


@router.get(
    "/events",
    response_model=EventPage,
    responses=answers.problems(400, 401, 406) | _PAGE_RESPONSES,
)
async def list_events_everywhere(
    request: Request, parameters: Annotated[EventParameters, Query()], store: ReadStore, caller: Reader
) -> Response:
    """Find events of all timelines that you may read.

    The parameters are those of a single timeline's events.
    """
    return await _answer(request, parameters, None, store, caller)


async def _answer(
    request: Request, parameters: EventParameters, timeline: str | None, store: Readable, caller: Caller
) -> Response:
    query = parameters.query(timeline)
    media_type = (
        choose(request, tuple(_MEDIA_TYPES.values())) if parameters.format is None else _MEDIA_TYPES[parameters.format]
    )
    if media_type == answers.NDJSON:
        return await _stream(request, parameters, query, store, caller)
    key = await store.cursor_key()
    after = read_cursor(key, query, parameters.cursor)
    async with store.read() as connection:
        page = await read_joined_page(connection, query, caller, limit=parameters.limit or PAGE_EVENTS, after=after)
        if timeline is not None and not page.content:
            await check_timeline(connection, timeline, caller)
        count = await count_events(connection, query, caller, parameters.count)
    members = {"count": b"null" if count is None else b"%d" % count.events}
    if count is not None and not count.is_exact:
        members["count_is"] = b'"estimated"'
    following = write_cursor(key, query, page.end)
    return answers.page(request, [page.content], following, headers=_VARY, **members)


async def _stream(
    request: Request, parameters: EventParameters, query: EventQuery, store: Readable, caller: Caller
) -> Response:
    """Send an event a line, from one cursor; the first batch is read before the answer begins."""
    for name in ("cursor", "count"):
        if getattr(parameters, name) not in (None, "none"):
            raise InvalidParameters({name: "has no meaning for NDJSON, which sends all events"})
    async with AsyncExitStack() as opening:
        connection = await opening.enter_async_context(store.export())
        if query.timeline is not None:
            await check_timeline(connection, query.timeline, caller)
        batches = stream_documents(connection, query, caller, limit=parameters.limit)
        opening.push_async_callback(batches.aclose)  # before the connection that it reads from is another's
        first: list[bytes] = await anext(batches, [])
        # where that is all, the connection is given back before: then no replica that is lost meanwhile fails a client
        is_all = len(first) < MOST_EVENTS or len(first) == parameters.limit
        held = AsyncExitStack() if is_all else opening.pop_all()

    async def lines() -> AsyncIterator[bytes]:
        yield _lines(first)
        async for batch in batches:
            yield _lines(batch)

    settings: Settings = request.app.state.settings
    return answers.HeldStream(
        lines(),
        held,
        media_type=answers.NDJSON,
        headers=_VARY,
        clients=request.app.state.clients,
        send_timeout_seconds=settings.export_send_timeout_seconds,
    )


def _lines(documents: list[bytes]) -> bytes:
    return b"".join(b"%b\n" % document for document in documents)


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
