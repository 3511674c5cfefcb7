"""Plans and outcomes over HTTP."""

from __future__ import annotations

import struct
import time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from service.api import answers
from service.api.access import Reader, Store
from service.api.parameters import PAGE_EVENTS, Cursor, Limit, TimelineSlug
from service.api.strict import StrictRoute
from service.store.cursor import seal, unseal
from service.store.plans import count_outcomes, read_plans
from service.store.timelines import check_timeline
from service.wire.event import Event
from service.wire.plans import PlanPage, PlanState, plan_of

router = APIRouter(tags=["History"], route_class=StrictRoute)

_PLACE = struct.Struct(">q16s")


@router.get(
    "/timelines/{timeline}/plans",
    response_model=PlanPage,
    responses=answers.problems(400, 401, 404) | {200: {"description": "A page of plans.", **answers.headers("Link")}},
)
async def list_plans(
    request: Request,
    timeline: TimelineSlug,
    store: Store,
    caller: Reader,
    state: Annotated[
        PlanState,
        Query(
            description="`open`: planned or tentative; `overdue`: of these, those whose latest end has passed; "
            "`ended`: once planned, now occurred, postponed or cancelled.",
            examples=["overdue"],
        ),
    ] = "open",
    limit: Limit = PAGE_EVENTS,
    cursor: Cursor = None,
) -> Response:
    """Follow the plans of a timeline: how often and how far each was moved, and how past ones ended.

    They come in the order of their present dates. `outcomes` counts, for the whole timeline, how events that are or
    once were planned stand now.
    """
    key = await store.cursor_key()
    context = f"plans:{timeline}:{state}".encode()
    after: tuple[int, UUID] | None = None
    if cursor is not None:
        start, event_id = _PLACE.unpack(unseal(key, context, cursor))
        after = (start, UUID(bytes=event_id))
    async with store.read() as connection:
        await check_timeline(connection, timeline, caller)
        documents, end = await read_plans(connection, timeline, state, limit=limit, after=after)
        outcomes = await count_outcomes(connection, timeline)
    now = time.time_ns() // 1_000
    items = [plan_of(Event.model_validate_json(one), now).model_dump_json().encode() for one in documents]
    following = None if end is None else seal(key, context, _PLACE.pack(end[0], end[1].bytes))
    return answers.page(request, items, following, outcomes=outcomes.model_dump_json().encode())
