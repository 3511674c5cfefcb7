"""Events that are or once were planned, and how they stand now."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from sqlalchemy import Integer, Select, and_, bindparam, exists, func, or_, select, tuple_

from service.store.adapters import At
from service.store.query import timeline_id_of
from service.store.selection import TIMELINE_ID, is_overdue
from service.store.statement import Connection, Statement, compiled
from service.store.window import Condition
from service.tables import event, event_state
from service.wire.plans import Outcomes, PlanState

_AFTER = (
    bindparam("after_start", type_=event.c.start_earliest.type),
    bindparam("after_event", type_=event.c.event_id.type),
)
_ORDER = (event.c.start_earliest, event.c.event_id)


def _is_open() -> Condition:
    return or_(event.c.status == "planned", event.c.status == "tentative")


def _was_planned() -> Condition:
    """Tell whether an event was ever known, or recorded, as planned."""
    return exists(
        select(1).where(
            event_state.c.timeline_id == event.c.timeline_id,
            event_state.c.event_id == event.c.event_id,
            or_(event_state.c.status == "planned", event_state.c.status == "tentative"),
        )
    )


def _in_state(state: PlanState) -> Condition:
    if state == "open":
        return _is_open()
    if state == "overdue":
        return is_overdue(event)
    ended = or_(event.c.status == "occurred", event.c.status == "postponed", event.c.status == "cancelled")
    return and_(ended, _was_planned())


@lru_cache(maxsize=6)
def _page(state: PlanState, *, is_continued: bool) -> Statement:
    chosen: Select[tuple[object, ...]] = (
        select(event.c.document, event.c.start_earliest, event.c.event_id)
        .where(event.c.timeline_id == TIMELINE_ID, _in_state(state))
        .order_by(*_ORDER)
        .limit(bindparam("limit", type_=Integer))
    )
    if is_continued:
        chosen = chosen.where(tuple_(*_ORDER) > tuple_(*_AFTER))
    return compiled(chosen)


_OUTCOMES: Statement = compiled(
    select(
        event.c.status,
        func.count(),
        func.count().filter(event.c.end_latest < func.now()),
    )
    .where(event.c.timeline_id == TIMELINE_ID, or_(_is_open(), _was_planned()))
    .group_by(event.c.status)
)


async def read_plans(
    connection: Connection,
    timeline_slug: str,
    state: PlanState,
    *,
    limit: int,
    after: tuple[int, UUID] | None,
) -> tuple[list[bytes], tuple[int, UUID] | None]:
    """Read at most `limit` documents of plans in the order of their dates, and where they end if more follow."""
    values: dict[str, object] = {"timeline_id": timeline_id_of(timeline_slug), "limit": limit + 1}
    if after is not None:
        values |= {"after_start": At(after[0]), "after_event": after[1]}
    cursor = await _page(state, is_continued=after is not None).run(connection, values, prepare=False)
    rows = await cursor.fetchall()
    end = (rows[limit - 1][1], rows[limit - 1][2]) if len(rows) > limit else None
    return [row[0] for row in rows[:limit]], end


async def count_outcomes(connection: Connection, timeline_slug: str) -> Outcomes:
    """Count how events that are or were planned stand now."""
    cursor = await _OUTCOMES.run(connection, {"timeline_id": timeline_id_of(timeline_slug)})
    found = {status: (count, passed) for status, count, passed in await cursor.fetchall()}
    counts = {
        status: found.get(status, (0, 0))[0]
        for status in ("planned", "tentative", "occurred", "postponed", "cancelled")
    }
    overdue = sum(found.get(status, (0, 0))[1] for status in ("planned", "tentative"))
    return Outcomes(**counts, overdue=overdue)
