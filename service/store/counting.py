"""How many events a range query means: exactly, or well enough."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from psycopg.errors import QueryCanceled
from psycopg.pq import TransactionStatus
from sqlalchemy import (
    ColumnElement,
    Integer,
    Interval,
    Text,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from service.store.query import Caller, EventQuery
from service.store.selection import Shape, conditions, in_timelines, in_window, values_of
from service.store.statement import Connection, Statement, compiled, explained, planned_rows
from service.store.walks import TEXT, Lead, find_lead, walk
from service.store.window import meets_window
from service.tables import event

Count = Literal["none", "estimated", "exact"]

# Up to so many an estimate is a count: cheap, and small numbers are where a wrong one shows.
COUNTED_UP_TO = 1_000

_TIME: ColumnElement[str] = literal_column("'statement_timeout'")
_SECONDS = func.date_part(literal_column("'epoch'"), cast(func.current_setting(_TIME), Interval))
# in milliseconds; none at all stays none
_HALF: ColumnElement[str] = cast(func.ceil(_SECONDS * literal_column("500")), Text)
_HALVE_TIME = compiled(select(func.set_config(_TIME, _HALF, literal_column("true"))))


@dataclass(frozen=True, slots=True)
class Counted:
    """How many events there are, and whether that is so or PostgreSQL's guess."""

    events: int
    is_exact: bool


async def count_events(connection: Connection, query: EventQuery, caller: Caller, how: Count) -> Counted | None:
    """Count what the query means; None if not asked for.

    An estimate is exact up to COUNTED_UP_TO events, and beyond that the planner's: measured within 30 %
    of the truth for windows alone; several filters at once may mislead it further. What would take longer to count
    than half of a statement's time is estimated, too.
    """
    if how == "none":
        return None
    shape, values = Shape.of(query), values_of(query, caller)
    lead = await find_lead(connection, query, shape, values)
    if how == "exact":
        counted = await _counted_in_time(connection, count_statement(shape, lead, bounded=False), values)
        if counted is not None:
            return Counted(counted, is_exact=True)
        return Counted(await _estimated(connection, shape, values), is_exact=False)
    counted = await _run(connection, count_statement(shape, lead, bounded=True), values | {"limit": COUNTED_UP_TO + 1})
    if counted <= COUNTED_UP_TO:
        return Counted(counted, is_exact=True)
    return Counted(max(counted, await _estimated(connection, shape, values)), is_exact=False)


async def _run(connection: Connection, statement: Statement, values: Mapping[str, object]) -> int:
    cursor = await statement.run(connection, values, prepare=False)
    return int((await cursor.fetchall())[0][0])


async def _counted_in_time(connection: Connection, statement: Statement, values: Mapping[str, object]) -> int | None:
    """Count within half of the time that a statement has; None where that does not do."""
    with suppress(QueryCanceled):
        # A transaction, or a part of the caller's: what the limit strikes spoils nothing else. A part is taken back, or
        # the limit would hold for what the caller does next; a transaction is not, or psycopg would forget all that is
        # prepared on the connection.
        is_part = connection.pgconn.transaction_status != TransactionStatus.IDLE
        async with connection.transaction(force_rollback=is_part):
            await _HALVE_TIME.run(connection, {})
            return await _run(connection, statement, values)
    return None


async def _estimated(connection: Connection, shape: Shape, values: Mapping[str, object]) -> int:
    return await planned_rows(connection, _matching(shape), values)


@lru_cache(maxsize=1024)
def count_statement(shape: Shape, lead: Lead | None, *, bounded: bool) -> Statement:
    """Build the statement that counts, once; `bounded` stops at a limit."""
    # few events that have the words are looked through at once
    in_one = shape.window is None or (lead is not None and lead.name == TEXT)
    walks = [walk(shape, lead, reach, apart=False)[1] for reach in ([None] if in_one else shape.reaches)]
    if in_one:
        walks = [one.where(*in_window(shape, shape.events)) for one in walks]
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
def _matching(shape: Shape) -> Statement:
    # the planner knows how many ranges meet another, but not that an event's two ends belong together
    events = shape.events
    window = [] if shape.window is None else [meets_window(shape.window, events)]
    return explained(select(literal(1)).where(in_timelines(shape, events), *window, *conditions(shape, events)))
