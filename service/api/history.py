"""The history of an event over HTTP: every state, when it was known, who wrote it and what it changed."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Response

from service.api import answers
from service.api.access import Reader
from service.api.freshness import ReadStore
from service.api.known import RecordedAsOf
from service.api.parameters import PAGE_EVENTS, Cursor, EventId, Limit, TimelineSlug
from service.api.strict import StrictRoute
from service.dates import DISTANT_FUTURE, format_instant
from service.store.cursor import Cursors
from service.store.history import Past, read_history
from service.wire.event import Event
from service.wire.history import HistoryPage, changes, conflicts

router = APIRouter(tags=["History"], route_class=StrictRoute)


@router.get(
    "/timelines/{timeline}/events/{event}/history",
    response_model=HistoryPage,
    responses=answers.problems(400, 401, 404) | {200: {"description": "A page of states.", **answers.headers("Link")}},
)
async def list_history(
    request: Request,
    timeline: TimelineSlug,
    event: EventId,
    store: ReadStore,
    caller: Reader,
    limit: Limit = PAGE_EVENTS,
    cursor: Cursor = None,
    recorded_as_of: RecordedAsOf = None,
) -> Response:
    """Read every state of an event: when it was known, who wrote it, and what it changed.

    The latest known comes first; what was deleted has its history still. Two clocks: `known` says when the world
    knew, `recorded_at` when this store learned it. `diff` makes a state's document of the one known before it, but for
    `version`, `reported_at` and `recorded_at`, which every write sets anew. With `recorded_as_of` the history is as
    this store held it at that instant, whatever was reported since about the time before.
    """
    cursors = Cursors.of(await store.cursor_key(), "history", timeline, event, recorded_as_of)
    after = cursors.read(cursor, int, int)
    async with store.read() as connection:
        states, end = await read_history(
            connection, timeline, event, caller, limit=limit, after=after, recorded_as_of=recorded_as_of
        )
    return answers.page(request, [_item(one) for one in states], cursors.write(end))


def _item(past: Past) -> bytes:
    """Write a state; its document's bytes as they are stored."""
    document = past.document or b"null"
    after = {} if past.document is None else json.loads(past.document)
    before = {} if past.before is None else json.loads(past.before)
    found = conflicts(Event.model_validate(after)) if after.get("claims") else []
    head = {
        "version": past.version,
        "known": None
        if past.span.start == past.span.end
        else {
            "from": format_instant(past.span.start),
            "to": None if past.span.end == DISTANT_FUTURE else format_instant(past.span.end),
        },
        "recorded_at": format_instant(past.recorded_at),
        "author": past.author,
        "reason": past.reason,
        "diff": changes(before, after),
        "conflicts": [one.model_dump(mode="json") for one in found],
    }
    return b'%b,"document":%b}' % (json.dumps(head, ensure_ascii=False).encode()[:-1], document)
