"""Events that are or once were planned, and how they stand now."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from service.store.adapters import At
from service.store.query import timeline_id_of
from service.store.selection import TIMELINE_ID, has_passed, is_overdue
from service.store.statement import Connection, Statement, compiled
from service.tables import STATUSES, UNDECIDED, event, event_state
from service.wire.plans import Outcomes, PlanState, Scheduled

_LIMIT = bindparam("limit", type_=Integer)
_AFTER = (
    bindparam("after_start", type_=event.c.start_earliest.type),
    bindparam("after_event", type_=event.c.event_id.type),
)
_ORDER = (event.c.start_earliest, event.c.event_id)
_IS_PLAN = (event.c.timeline_id == TIMELINE_ID, event.c.was_planned)
_ENDED = tuple(status for status in STATUSES if status not in UNDECIDED)


def _walk(state: PlanState, status: str, *, is_continued: bool) -> Select[Any]:
    """Walk the plans of one status in order: the index begins with it."""
    keys = select(event.c.event_id, event.c.start_earliest).where(*_IS_PLAN, event.c.status == status)
    if state == "overdue":
        # what has passed has begun: so far the walk goes
        keys = keys.where(has_passed(event, past=False), event.c.start_earliest < func.now())
    if is_continued:
        keys = keys.where(tuple_(*_ORDER) > tuple_(*_AFTER))
    return keys.order_by(*_ORDER).limit(_LIMIT)


def _dates() -> ColumnElement[Any]:
    """Gather the dates that an event was known to have, one after the other."""
    date = event_state.c.document.op("->>", return_type=Text())(literal_column("'when'"))
    known = (
        select(
            date.label("date"),
            func.lag(date).over(order_by=event_state.c.reported_at).label("former"),
            event_state.c.reported_at,
        )
        .where(
            event_state.c.timeline_id == event.c.timeline_id,
            event_state.c.event_id == event.c.event_id,
            func.not_(func.isempty(event_state.c.known)),
            event_state.c.document.is_not(None),
        )
        .correlate(event)
        .subquery("known_dates")
    )
    in_order: ColumnElement[Any] = aggregate_order_by(known.c.date, known.c.reported_at)
    return select(func.array_agg(in_order)).where(known.c.date.is_distinct_from(known.c.former)).scalar_subquery()


@lru_cache(maxsize=6)
def _page(state: PlanState, *, is_continued: bool) -> Statement:
    statuses = _ENDED if state == "ended" else UNDECIDED
    walks = union_all(*(_walk(state, status, is_continued=is_continued) for status in statuses)).subquery("walks")
    keys = select(walks).order_by(walks.c.start_earliest, walks.c.event_id).limit(_LIMIT).subquery("keys")
    return compiled(
        select(
            event.c.event_id,
            event.c.title,
            event.c.status,
            event.c.status_reason,
            event.c.edtf,
            is_overdue(event),
            _dates(),
            event.c.start_earliest,
        )
        .select_from(keys)
        .join(event, and_(event.c.timeline_id == TIMELINE_ID, event.c.event_id == keys.c.event_id))
        .order_by(*_ORDER)
    )


_OUTCOMES: Statement = compiled(
    select(
        event.c.status,
        func.count(),
        func.count().filter(has_passed(event, past=False)),
    )
    .where(*_IS_PLAN)
    .group_by(event.c.status)
)


async def read_plans(
    connection: Connection,
    timeline_slug: str,
    state: PlanState,
    *,
    limit: int,
    after: tuple[int, UUID] | None,
) -> tuple[list[Scheduled], tuple[int, UUID] | None]:
    """Read at most `limit` plans in the order of their dates, and where they end if more follow."""
    values: dict[str, object] = {"timeline_id": timeline_id_of(timeline_slug), "limit": limit + 1}
    if after is not None:
        values |= {"after_start": At(after[0]), "after_event": after[1]}
    cursor = await _page(state, is_continued=after is not None).run(connection, values, prepare=False)
    rows = await cursor.fetchall()
    plans = [Scheduled(*row[:7]) for row in rows[:limit]]
    return plans, (rows[limit - 1][7], plans[-1].event) if len(rows) > limit else None


async def count_outcomes(connection: Connection, timeline_slug: str) -> Outcomes:
    """Count how events that are or were planned stand now: of the whole timeline, from an index alone."""
    cursor = await _OUTCOMES.run(connection, {"timeline_id": timeline_id_of(timeline_slug)})
    found = {status: (count, passed) for status, count, passed in await cursor.fetchall()}
    counts = {status: found.get(status, (0, 0))[0] for status in STATUSES}
    overdue = sum(found.get(status, (0, 0))[1] for status in UNDECIDED)
    return Outcomes(**counts, overdue=overdue)
