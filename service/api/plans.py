"""Plans and outcomes over HTTP."""

from __future__ import annotations

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from service.api import answers
from service.api.access import Reader
from service.api.freshness import ReadStore
from service.api.parameters import PAGE_EVENTS, Cursor, Limit, TimelineSlug
from service.api.strict import StrictRoute
from service.store.cursor import Cursors
from service.store.plans import count_outcomes, read_plans
from service.store.timelines import check_timeline
from service.wire.plans import PlanPage, PlanState, plan_of

router = APIRouter(tags=["History"], route_class=StrictRoute)


@router.get(
    "/timelines/{timeline}/plans",
    response_model=PlanPage,
    responses=answers.problems(400, 401, 404) | {200: {"description": "A page of plans.", **answers.headers("Link")}},
)
async def list_plans(
    request: Request,
    timeline: TimelineSlug,
    store: ReadStore,
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

    They come in the order of their present dates. What a plan's first date was, and how often it moved, goes by what
    is known now of the past: a report that came late counts at its place, and one that was superseded does not.
    `outcomes` counts, for the whole timeline, how events that are or once were planned stand now; it comes with the
    first page.
    """
    cursors = Cursors.of(await store.cursor_key(), "plans", timeline, state)
    after = cast("tuple[int, UUID] | None", cursors.read(cursor, int, UUID))
    async with store.read() as connection:
        await check_timeline(connection, timeline, caller)
        plans, end = await read_plans(connection, timeline, state, limit=limit, after=after)
        outcomes = await count_outcomes(connection, timeline) if cursor is None else None
    items = [plan_of(one).model_dump_json().encode() for one in plans]
    counted = b"null" if outcomes is None else outcomes.model_dump_json().encode()
    return answers.page(request, items, cursors.write(end), outcomes=counted)
