"""The change feed over HTTP: pages of it, and streams that go on for as long as the client stays."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import format_sse_event
from pydantic import Field

from service.api import answers
from service.api.access import Reader, Store, still_opens
from service.api.event_stream import MEDIA_TYPE, EventStream, Streams, retry_milliseconds
from service.api.freshness import POSITION_HEADER, position_header
from service.api.known import RECORDED_AS_OF, Clock
from service.api.negotiation import choose
from service.api.parameters import MOST_PAGE_EVENTS, PAGE_EVENTS, FilterParameters, TimelineSlug
from service.api.problems import InvalidParameters
from service.api.strict import StrictRoute
from service.errors import CursorOutlived, NotFound, Unavailable
from service.store.changes import Change, Changes, read_changes
from service.store.database import Database
from service.store.item import write_item
from service.store.position import Place, Position, read_place, write_place
from service.store.query import Caller, EventQuery, timeline_id_of
from service.store.sharing import SharedReads
from service.store.tail import Tail
from service.store.wal import read_written
from service.wire.change import ChangePage
from service.wire.values import AS_CURSOR, CURSOR_PATTERN

router = APIRouter(tags=["Changes"], route_class=StrictRoute)

_BATCH_CHANGES = 100
_RETRY_SECONDS = 1.0  # while the database cannot be reached


class ChangeParameters(FilterParameters):
    """Which changes: the query string of the feed."""

    after: Annotated[str, Field(min_length=1, max_length=500, json_schema_extra=AS_CURSOR)] | None = Field(
        None,
        description="The cursor behind which to begin, or `latest` for the present end; absent, it begins with the "
        "oldest change that is kept.",
        examples=["latest"],
    )
    limit: int | None = Field(
        None,
        ge=1,
        le=MOST_PAGE_EVENTS,
        description=f"The most changes of a page: {PAGE_EVENTS} when absent.",
        examples=[50],
    )
    documents: bool = Field(
        default=True, description="Whether each change comes with the event as it then stood.", examples=[False]
    )
    recorded_as_of: Clock | None = Field(None, description=RECORDED_AS_OF, examples=["2026-12-31"])


LastEventId = Annotated[
    str | None,
    Header(
        max_length=500,
        description="Where an event stream goes on: its last message's `id`. Goes before `after`.",
        examples=["ACCg0Uw8S7KU5Rpo_lL-agAAAAEAAAAAAAAC8QAAAAAAAAAZ_BWGTU-qlo8dwtnHZipcCQ"],
        pattern=CURSOR_PATTERN,  # in a page, which makes nothing of it, too
    ),
]


@dataclass(frozen=True, slots=True)
class Feed:
    """What the streams of this process share."""

    tail: Tail
    streams: Streams
    reads: SharedReads[Batch]
    heartbeat_seconds: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are ready to be sent, and how the feed stood when they were read."""

    messages: list[bytes]
    changes: Changes


_OUTLIVED = answers.problems(410)
_OUTLIVED[410]["description"] = "Changes behind the cursor are missing; `detail` says how to start again."
_VARY = {"Vary": "Accept"}


@router.get(
    "/timelines/{timeline}/changes",
    response_model=ChangePage,
    response_model_exclude_unset=True,
    responses=answers.problems(400, 401, 404, 406)
    | _OUTLIVED
    | {
        200: {
            "description": "A page of changes; as an event stream, a message a change for as long as you stay.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "Server-sent events (HTML, 9.2)."}}},
            **answers.headers("Link", POSITION_HEADER),
        }
    },
)
async def list_changes(
    request: Request,
    timeline: TimelineSlug,
    parameters: Annotated[ChangeParameters, Query()],
    store: Store,
    caller: Reader,
    last_event_id: LastEventId = None,
) -> Response:
    """Follow a timeline: every write, in commit order, with the event as it stood after it.

    Whoever takes each change's `document` in place of its copy, and removes its copy where that is `null`, holds what
    the list of events holds. To begin: take `latest` with `after=latest`, list the events, then follow from that
    cursor; send the `Dateline-Position` of the first answer along with the list, which may come of a replica that is
    behind. Go on with `next`; where it is `null`, with `latest`, a little later.

    With `Accept: text/event-stream` the changes come as server-sent events as soon as they are committed: `id` is the
    cursor, `event` the operation, `data` the item. `Last-Event-ID`, which browsers send by themselves, goes on where a
    stream broke off. A change that cannot be ordered yet waits for the earlier transaction that is still under way.

    Filters are those of the range query and judge the event as it stood after the change; a tombstone passes every
    filter. An event that a change takes out of a filter is not reported: to mirror, follow without filters.
    """
    query = parameters.query(timeline)
    key = await store.cursor_key()
    if choose(request, (answers.JSON, MEDIA_TYPE)) == MEDIA_TYPE:
        for name in ("limit", "recorded_as_of"):
            if getattr(parameters, name) is not None:
                raise InvalidParameters({name: "has no meaning for a stream, which goes on"})
        after = _place(key, timeline, last_event_id or parameters.after)
        feed: Feed = request.app.state.feed
        follower = _Follower(feed, store, key, query, caller, documents=parameters.documents)
        return await follower.answer(after)
    async with store.read() as connection:
        changes = await read_changes(
            connection,
            query,
            caller,
            after=_place(key, timeline, parameters.after),
            limit=parameters.limit or PAGE_EVENTS,
            documents=parameters.documents,
            recorded_as_of=parameters.recorded_as_of,
        )
        # whoever lists the events to go on from here must not find fewer than there were
        position = await read_written(connection)
    headers = _VARY | await position_header(store, position)
    return _page(request, key, timeline, changes, documents=parameters.documents, headers=headers)


def _place(key: bytes, timeline: str, cursor: str | None) -> Place | Literal["latest"] | None:
    if cursor is None or cursor == "latest":
        return "latest" if cursor else None
    return read_place(key, timeline, cursor)


def _page(
    request: Request, key: bytes, timeline: str, changes: Changes, *, documents: bool, headers: dict[str, str]
) -> Response:
    def cursor(position: Position) -> str:
        return write_place(key, timeline, changes.place(position))

    following = cursor(changes.end) if changes.has_more else None
    if following is not None:
        address = request.url.include_query_params(after=following)
        headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
    items = [write_item(one, cursor(one.position), documents=documents) for one in changes.items]
    rest = {"latest": cursor(changes.latest), "oldest": cursor(changes.oldest), "next": following}
    body = b'{"items":[%b],%b' % (b",".join(items), json.dumps(rest, separators=(",", ":")).encode()[1:])
    return Response(body, 200, headers, answers.JSON)


@dataclass(frozen=True, slots=True)
class _Follower:
    """One client's stream: what it asks for, and with what it is answered."""

    feed: Feed
    store: Database
    key: bytes
    query: EventQuery
    caller: Caller
    documents: bool

    async def answer(self, after: Place | Literal["latest"] | None) -> Response:
        """Begin a stream; whatever is wrong with the request is said before it begins."""
        with ExitStack() as held:
            held.enter_context(self.feed.streams.place())
            first = await self._read(after)
            changes = first.changes
            start = after.position if isinstance(after, Place) else changes.latest if after else changes.oldest
            headers = await position_header(self.store, await self.store.written())
            messages = self._messages(first, changes.place(start))
            return EventStream(messages, self.feed.streams, held.pop_all(), headers)

    async def _messages(self, batch: Batch | None, place: Place) -> AsyncGenerator[bytes]:
        """Give message after message; between them, nothing of the database is held."""
        yield format_sse_event(retry=retry_milliseconds(), id=self._cursor(place))
        latest = place.position if batch is None else batch.changes.latest
        asked_at = time.monotonic()
        with self.feed.tail.follow(timeline_id_of(str(self.query.timeline)), latest) as end:
            while not self.feed.streams.is_ending:
                if time.monotonic() - asked_at > self.feed.heartbeat_seconds:
                    asked_at = time.monotonic()
                    if not await self._may_stay():
                        return  # the client comes back, and is told
                if batch is not None:
                    for message in batch.messages:
                        yield message
                    place = batch.changes.place(batch.changes.end)
                if end.position <= place.position and not await end.change(self.feed.heartbeat_seconds):
                    batch = None
                    yield self._sign_of_life(place)
                    continue
                try:
                    batch = await self._read(place)
                    end.move(max(end.position, batch.changes.latest))
                except (NotFound, CursorOutlived):
                    return  # the client comes back, and is told
                except Unavailable:
                    batch = None
                    yield self._sign_of_life(place)
                    await asyncio.sleep(_RETRY_SECONDS)
        yield format_sse_event(retry=retry_milliseconds(), id=self._cursor(place))

    async def _may_stay(self) -> bool:
        """Tell whether the key that the client came with still opens this; what cannot be asked is let be."""
        try:
            return await still_opens(self.store, self.caller)
        except Unavailable:
            return True

    def _sign_of_life(self, place: Place) -> bytes:
        """Say that the stream lives, and how far it has looked: its filters may have let nothing pass for long."""
        return format_sse_event(comment="here", id=self._cursor(place))

    def _cursor(self, place: Place) -> str:
        return write_place(self.key, str(self.query.timeline), place)

    async def _read(self, after: Place | Literal["latest"] | None) -> Batch:
        asked = (self.query.digest(), self.caller.sees_public, self.caller.timelines, self.documents, after)
        return await self.feed.reads.read(asked, lambda: self._read_alone(after))

    async def _read_alone(self, after: Place | Literal["latest"] | None) -> Batch:
        async with self.store.read() as connection:
            changes = await read_changes(
                connection, self.query, self.caller, after=after, limit=_BATCH_CHANGES, documents=self.documents
            )
        return Batch([self._message(one, changes) for one in changes.items], changes)

    def _message(self, change: Change, changes: Changes) -> bytes:
        cursor = self._cursor(changes.place(change.position))
        item = write_item(change, cursor, documents=self.documents)
        return format_sse_event(data_str=item.decode(), event=change.operation, id=cursor)
