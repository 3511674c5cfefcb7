"""How many events a range query means: exactly, or well enough."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Literal

from sqlalchemy import ColumnElement, Integer, bindparam, func, literal, select, union_all

from service.store.query import Caller, EventQuery
from service.store.selection import Shape, conditions, in_timelines, in_window, values_of
from service.store.statement import Connection, Statement, compiled
from service.store.walks import Lead, find_lead, walk
from service.store.window import meets_window
from service.tables import REACHES, event

Count = Literal["none", "estimated", "exact"]

# Up to so many an estimate is a count: cheap, and small numbers are where a wrong one shows.
COUNTED_UP_TO = 1_000


async def count_events(connection: Connection, query: EventQuery, caller: Caller, how: Count) -> int | None:
    """Count what the query means; None if not asked for.

    An estimate is exact up to COUNTED_UP_TO events, and beyond that the planner's: measured within 30 %
    of the truth for windows alone; several filters at once may mislead it further.
    """
    if how == "none":
        return None
    shape, values = Shape.of(query), values_of(query, caller)
    lead = await find_lead(connection, query, shape, values)
    if how == "exact":
        cursor = await count_statement(shape, lead, bounded=False).run(connection, values, prepare=False)
        return int((await cursor.fetchall())[0][0])
    limit = {"limit": COUNTED_UP_TO + 1}
    cursor = await count_statement(shape, lead, bounded=True).run(connection, values | limit, prepare=False)
    counted = int((await cursor.fetchall())[0][0])
    if counted <= COUNTED_UP_TO:
        return counted
    cursor = await _explained(shape).run(connection, values, prepare=False)
    plan = (await cursor.fetchall())[0][0]
    return max(counted, planned_rows(plan))


def planned_rows(plan: bytes) -> int:
    """Read how many rows PostgreSQL expects, from EXPLAIN (FORMAT JSON); of several servers' parts, one is told."""
    told = json.loads(plan)[0]["Plan"]
    if "Distributed Query" not in told:
        return int(told["Plan Rows"])
    job = told["Distributed Query"]["Job"]
    ((remote,),) = job["Tasks"][0]["Remote Plan"]
    return int(remote["Plan"]["Plan Rows"]) * int(job["Task Count"])


@lru_cache(maxsize=1024)
def count_statement(shape: Shape, lead: Lead | None, *, bounded: bool) -> Statement:
    """Build the statement that counts, once; `bounded` stops at a limit."""
    reaches = [None] if shape.window is None else REACHES
    walks = [walk(shape, lead, reach, apart=False)[1] for reach in reaches]
    if lead is not None and lead.table is not event and (lead.repeats or lead.several):
        walks = [one.distinct() for one in walks]
    found = union_all(*walks).subquery() if len(walks) > 1 else walks[0].subquery()
    rows = select(found.c.event_id)
    if bounded:
        rows = rows.limit(bindparam("limit", type_=Integer))
    anywhere = select(literal(1)).where(*_meant(shape))
    if bounded:
        anywhere = anywhere.limit(bindparam("limit", type_=Integer))
    # across timelines that are on several servers, no table leads the others
    distributed = [] if shape.one_timeline else [select(func.count()).select_from(anywhere.subquery("found"))]
    return compiled(select(func.count()).select_from(rows.subquery()), distributed=distributed)


def _meant(shape: Shape) -> list[ColumnElement[bool]]:
    events = shape.events
    return [in_timelines(shape, events), *in_window(shape, events), *conditions(shape, events)]


@lru_cache(maxsize=1024)
def _explained(shape: Shape) -> Statement:
    # the planner knows how many ranges meet another, but not that an event's two ends belong together
    events = shape.events
    window = [] if shape.window is None else [meets_window(shape.window, events)]
    matching = compiled(select(literal(1)).where(in_timelines(shape, events), *window, *conditions(shape, events)))
    return Statement(f"EXPLAIN (FORMAT JSON) {matching.sql}", matching.fixed, matching.element)
