"""How many events a range query means: exactly, or well enough."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Integer, Select, bindparam, func, literal, select

from service.store.query import Caller, EventQuery
from service.store.selection import Shape, conditions, in_timelines, in_window, values_of
from service.store.statement import Connection, Statement, compiled

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
    if how == "exact":
        cursor = await _exact(shape).run(connection, values, prepare=False)
        return int((await cursor.fetchall())[0][0])
    cursor = await _bounded(shape).run(connection, values | {"limit": COUNTED_UP_TO + 1}, prepare=False)
    counted = int((await cursor.fetchall())[0][0])
    if counted <= COUNTED_UP_TO:
        return counted
    cursor = await _explained(shape).run(connection, values, prepare=False)
    plan = (await cursor.fetchall())[0][0]
    return max(counted, planned_rows(plan))


def planned_rows(plan: bytes) -> int:
    """Read how many rows PostgreSQL expects, from EXPLAIN (FORMAT JSON)."""
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def _matching(shape: Shape) -> Select[Any]:
    events = shape.events
    return select(literal(1)).where(in_timelines(shape, events), *in_window(shape, events), *conditions(shape, events))


@lru_cache(maxsize=1024)
def _exact(shape: Shape) -> Statement:
    return compiled(select(func.count()).select_from(_matching(shape).subquery()))


@lru_cache(maxsize=1024)
def _bounded(shape: Shape) -> Statement:
    return compiled(
        select(func.count()).select_from(_matching(shape).limit(bindparam("limit", type_=Integer)).subquery())
    )


@lru_cache(maxsize=1024)
def _explained(shape: Shape) -> Statement:
    matching = compiled(_matching(shape))
    return Statement(f"EXPLAIN (FORMAT JSON) {matching.sql}", matching.fixed)
