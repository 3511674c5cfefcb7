"""The range query over HTTP, in each of its representations: pages of some, all at once in others."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from service.api import answers
from service.api.access import Reader
from service.api.freshness import ReadStore
from service.api.negotiation import choose
from service.api.parameters import PAGE_EVENTS, EventParameters, TimelineSlug
from service.api.problems import InvalidParameters
from service.api.representations import (
    DOCUMENTED,
    FORMATS,
    MEDIA_TYPES,
    STREAMED,
    Streamed,
    collection_of,
    file_name,
    own_address,
)
from service.api.strict import StrictRoute
from service.formats import atom, svg
from service.formats.writing import Batch, Writer
from service.settings import Settings
from service.store.counting import count_events
from service.store.cursor import read_cursor, write_cursor
from service.store.directory import TIMELINES, get_entry, read_coordinates
from service.store.paging import MOST_EVENTS, read_joined_page, read_page
from service.store.query import Caller, EventQuery
from service.store.replica import Readable
from service.store.statement import Connection
from service.store.stream import stream_documents
from service.store.timelines import check_timeline
from service.wire.directory import Timeline
from service.wire.event import EventPage

router = APIRouter(tags=["Events"], route_class=StrictRoute)

_VARY = {"Vary": "Accept"}
# So much is read and written anew at a time; that takes some times as much memory.
_BATCH_BYTES = 1024 * 1024
_RESPONSES: answers.Responses = {
    200: {
        "description": "A page of events; as Atom and SVG, too, and else all of them.",
        "content": DOCUMENTED,
        **answers.headers("Link"),
    }
}


@router.get(
    "/timelines/{timeline}/events",
    response_model=EventPage,
    responses=answers.problems(400, 401, 404, 406) | _RESPONSES,
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

    By `Accept`, or by `format` in a link, the same events come as NDJSON (`ndjson`), a table (`csv`), a calendar to
    subscribe to (`ics`), a layer of a map (`geojson`), linked data (`jsonld`) or TimelineJS's slides (`timelinejs`),
    all of them in one answer; and page by page as a feed (`atom`, the newest record first) or a picture (`svg`).
    """
    return await _answer(request, parameters, timeline, store, caller)


@router.get(
    "/events",
    response_model=EventPage,
    responses=answers.problems(400, 401, 406) | _RESPONSES,
)
async def list_events_everywhere(
    request: Request, parameters: Annotated[EventParameters, Query()], store: ReadStore, caller: Reader
) -> Response:
    """Find events of all timelines that you may read.

    The parameters, and the representations, are those of a single timeline's events.
    """
    return await _answer(request, parameters, None, store, caller)


async def _answer(
    request: Request, parameters: EventParameters, timeline: str | None, store: Readable, caller: Caller
) -> Response:
    media_type = choose(request, MEDIA_TYPES) if parameters.format is None else FORMATS[parameters.format]
    streamed = STREAMED.get(media_type)
    if streamed is not None:
        return await _stream(request, parameters, parameters.query(timeline), store, caller, streamed, media_type)
    if media_type == atom.MEDIA_TYPE and "sort" not in parameters.model_fields_set:
        # a reader of feeds shows what is new
        parameters = parameters.model_copy(update={"sort": "-recorded"})
    query = parameters.query(timeline)
    if media_type != answers.JSON:
        return await _write_page(request, parameters, query, store, caller, media_type)
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


async def _write_page(
    request: Request,
    parameters: EventParameters,
    query: EventQuery,
    store: Readable,
    caller: Caller,
    media_type: str,
) -> Response:
    """Answer with a page as a feed or a picture."""
    _refuse(parameters, media_type, "count")
    key = await store.cursor_key()
    after = read_cursor(key, query, parameters.cursor)
    async with store.read() as connection:
        timeline = await _find_timeline(connection, query, caller)
        page = await read_page(connection, query, caller, limit=parameters.limit or PAGE_EVENTS, after=after)
    collection = collection_of(request, timeline, media_type, cursor=parameters.cursor)
    following = write_cursor(key, query, page.end)

    def write() -> bytes:
        events = list(Batch(page.documents).events)
        if media_type == atom.MEDIA_TYPE:
            after_it = None if following is None else own_address(request, media_type, cursor=following)
            first = own_address(request, media_type)
            return atom.write_feed(collection, events, after_it, first=first)
        return svg.write_picture(collection, events, query.window, has_more=following is not None)

    content = await to_thread.run_sync(write)
    return Response(content, 200, _VARY | answers.next_header(request, following), media_type)


async def _stream(
    request: Request,
    parameters: EventParameters,
    query: EventQuery,
    store: Readable,
    caller: Caller,
    streamed: Streamed,
    media_type: str,
) -> Response:
    """Send all events: what one page is all of as any other answer, more from one cursor.

    What is not streamed takes no place from those that are, and a client that asks again need not be sent it again.
    """
    _refuse(parameters, media_type, "cursor", "count")
    async with store.read() as connection:
        timeline = await _find_timeline(connection, query, caller)
        page = await read_page(connection, query, caller, limit=parameters.limit or MOST_EVENTS, after=None)
        is_all = page.end is None or parameters.limit is not None
        batches = [await _placed(connection, some, streamed) for some in _cut(page.documents if is_all else [])]
    writer = streamed.writer(collection_of(request, timeline, media_type))
    headers = _VARY | {"Content-Disposition": file_name(query.timeline, streamed.suffix)}
    content_type = media_type + streamed.parameters
    if is_all and len(batches) == 1:
        return Response(await _written(streamed, writer, batches[0]) + writer.end(), 200, headers, content_type)
    async with AsyncExitStack() as opening:
        if is_all:
            found = _each(batches)
        else:
            connection = await opening.enter_async_context(store.export())
            found = _batches(connection, query, caller, streamed)
        # before the connection that it reads from is another's
        opening.push_async_callback(found.aclose)
        # the first batch is read before the answer begins: what fails until then is answered as what it is
        head = await _written(streamed, writer, await anext(found))
        held = opening.pop_all()

    async def parts() -> AsyncIterator[bytes]:
        yield head
        async for batch in found:
            yield await _written(streamed, writer, batch, is_first=False)
        yield writer.end()

    settings: Settings = request.app.state.settings
    return answers.HeldStream(
        parts(),
        held,
        media_type=content_type,
        headers=headers,
        clients=request.app.state.clients,
        send_timeout_seconds=settings.export_send_timeout_seconds,
    )


async def _batches(
    connection: Connection, query: EventQuery, caller: Caller, streamed: Streamed
) -> AsyncGenerator[Batch]:
    """Read all events, at least one batch."""
    is_empty = True
    async with aclosing(stream_documents(connection, query, caller)) as found:
        async for documents in found:
            for some in _cut(documents):
                is_empty = False
                yield await _placed(connection, some, streamed)
    if is_empty:  # all went since they were counted
        yield Batch([])


async def _each(batches: list[Batch]) -> AsyncGenerator[Batch]:
    """Give batches one by one, and keep none that was given."""
    batches.reverse()
    while batches:
        yield batches.pop()


def _cut(documents: Sequence[bytes]) -> list[list[bytes]]:
    """Cut documents into parts that are written at a time, one at least: an event may have megabytes."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for one in documents:
        size += len(one)
        if size > _BATCH_BYTES and parts[-1]:
            parts.append([])
            size = len(one)
        parts[-1].append(one)
    return parts


async def _placed(connection: Connection, documents: Sequence[bytes], streamed: Streamed) -> Batch:
    """Say where the events' places are, if that is to be written."""
    if not streamed.has_places:
        return Batch(documents)
    slugs = await to_thread.run_sync(Batch(documents).read_places)
    return Batch(documents, await read_coordinates(connection, slugs))


async def _written(streamed: Streamed, writer: Writer, batch: Batch, *, is_first: bool = True) -> bytes:
    """Write some events, what stands before the first of all too: in a thread, where that keeps others waiting."""

    def write() -> bytes:
        return (writer.begin() if is_first else b"") + writer.write(batch)

    return await to_thread.run_sync(write) if streamed.takes_time else write()


async def _find_timeline(connection: Connection, query: EventQuery, caller: Caller) -> Timeline | None:
    """Find what is asked for; None for all timelines. Raises NotFound."""
    if query.timeline is None:
        return None
    found, _ = await get_entry(connection, TIMELINES, query.timeline, caller)
    return found


def _refuse(parameters: EventParameters, media_type: str, *names: str) -> None:
    """Refuse what has no meaning in this representation. Raises InvalidParameters."""
    for name in names:
        if getattr(parameters, name) not in (None, "none"):
            why = "which sends all events" if name == "cursor" else "which has no place for it"
            raise InvalidParameters({name: f"has no meaning for {media_type}, {why}"})
