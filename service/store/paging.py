"""Pages of a range query, as one statement whose cost does not depend on how wide the window is.

By date, the window is asked in two: what already runs when it opens (the range index) and what begins
inside it (the B-tree in the order of the answer), each limited, then united and limited again; only then
are the documents fetched. A window in one piece is planned well only for some widths, and a prepared
statement's generic plan for none: measured, see the migration that lays the indexes.

With filters, one of them leads: each of its values is walked in order, and the others are checked on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Double,
    FromClause,
    Integer,
    Select,
    bindparam,
    func,
    lateral,
    select,
    true,
    tuple_,
    union_all,
)

from service.store.adapters import At
from service.store.query import Caller, EventQuery, Keyset
from service.store.selection import (
    TIMELINE_ID,
    Shape,
    conditions,
    facet_column,
    facet_values,
    in_timelines,
    in_window,
    is_visible,
    ordered,
    sort_value,
    values_of,
    window_scope,
)
from service.store.statement import Connection, Statement, compiled
from service.store.window import WINDOW_END, Condition
from service.tables import claim, event, event_participant, timeline

_LIMIT: ColumnElement[Any] = bindparam("limit", type_=Integer)
_AFTER_INSTANT: ColumnElement[Any] = bindparam("after_value", type_=DateTime(timezone=True))
_AFTER_RANK: ColumnElement[Any] = bindparam("after_value", type_=Double)
_AFTER_EVENT: ColumnElement[Any] = bindparam("after_event", type_=event.c.event_id.type)
_AFTER_TIMELINE: ColumnElement[Any] = bindparam("after_timeline", type_=event.c.timeline_id.type)

# Tables in which one event may bear a filter's value more than once.
_MANY_OF_AN_EVENT = (claim, event_participant)

# The most that is counted to learn which of several filters is the narrowest.
PROBE_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class PageShape:
    """A page's form: the query's, how far it has come, and the filter that leads."""

    query: Shape
    is_continued: bool
    past_pivot: bool
    lead: str | None


@dataclass(frozen=True, slots=True)
class EventRows:
    """Stored documents in order (UTF-8 JSON), and where they end if more follow."""

    documents: list[bytes]
    end: Keyset | None


async def read_page(
    connection: Connection, query: EventQuery, caller: Caller, *, limit: int, after: Keyset | None
) -> EventRows:
    """Read the page of at most `limit` events that follows `after`, or the first."""
    shape = Shape.of(query)
    values = values_of(query, caller)
    lead = await _find_lead(connection, shape, values)
    page = PageShape(shape, after is not None, _has_passed_pivot(query, shape, after), lead)
    if after is not None:
        values["after_value"] = after.value if query.sort == "relevance" else At(int(after.value))
        values["after_event"] = after.event_id
        values["after_timeline"] = after.timeline_id
    # where the values decide which plan is good, PostgreSQL plans anew for them
    prepare = False if shape.text or len(shape.facets) > 1 or query.sort not in ("date", "-date") else None
    cursor = await page_statement(page).run(connection, values | {"limit": limit + 1}, prepare=prepare)
    rows = await cursor.fetchall()
    documents = [row[0] for row in rows[:limit]]
    if len(rows) <= limit:
        return EventRows(documents, None)
    _, value, event_id, timeline_id = rows[limit - 1]
    return EventRows(documents, Keyset(value, UUID(str(event_id)), UUID(str(timeline_id))))


def _has_passed_pivot(query: EventQuery, shape: Shape, after: Keyset | None) -> bool:
    """Tell whether the cursor has left one half of the window behind."""
    pivot = window_scope(shape, event).pivot
    if after is None or pivot is None or query.window is None:
        return False
    instant = query.window.end if pivot is WINDOW_END else query.window.start
    return after.value >= instant if query.sort == "date" else after.value < instant


async def _find_lead(connection: Connection, shape: Shape, values: dict[str, object]) -> str | None:
    """Choose the filter that leads: of several, the one with the fewest events, counted up to a limit."""
    if not shape.facets:
        return None
    first, *others = shape.facets
    if not others or not shape.one_timeline or shape.sort not in ("date", "-date"):
        return first
    cursor = await _probe(shape.facets).run(connection, values)
    counts = await cursor.fetchone()
    assert counts is not None  # noqa: S101  # an aggregate without GROUP BY gives one row
    return min(zip(counts, shape.facets, strict=True))[1]


@lru_cache(maxsize=64)
def _probe(facets: tuple[str, ...]) -> Statement:
    def count(name: str) -> ColumnElement[Any]:
        column = facet_column(name)
        table = column.table
        found = (
            select(1)
            .where(table.c.timeline_id == TIMELINE_ID, column == func.any(facet_values(name)))
            .limit(PROBE_LIMIT)
            .subquery()
        )
        return select(func.count()).select_from(found).scalar_subquery()

    return compiled(select(*(count(name) for name in facets)))


@lru_cache(maxsize=1024)
def page_statement(page: PageShape) -> Statement:
    """Build the statement of a page of this form, once.

    Rows are (document, sort value, event_id, timeline_id).
    """
    keys = _keys_by_date(page) if page.query.sort in ("date", "-date") else _keys_by(page)
    order = ordered(page.query, keys.c.value, keys.c.event_id, keys.c.timeline_id)
    return compiled(
        select(event.c.document, keys.c.value, keys.c.event_id, keys.c.timeline_id)
        .select_from(keys)
        .join(event, (event.c.timeline_id == keys.c.timeline_id) & (event.c.event_id == keys.c.event_id))
        .join(timeline, (timeline.c.timeline_id == event.c.timeline_id) & is_visible())
        .order_by(*order)
    )


def _comes_after(
    shape: Shape, value: ColumnElement[Any], event_id: ColumnElement[Any], timeline_id: ColumnElement[Any]
) -> Condition:
    """Compare rows as a whole: the form that an index can begin at."""
    last = _AFTER_RANK if shape.sort == "relevance" else _AFTER_INSTANT
    columns, end = [value, event_id], [last, _AFTER_EVENT]
    if not shape.one_timeline:
        columns, end = [*columns, timeline_id], [*end, _AFTER_TIMELINE]
    here, there = tuple_(*columns), tuple_(*end)
    return here > there if shape.sort == "date" else here < there


def _keys_by(page: PageShape) -> CTE:
    """Select the keys of a page in an order other than by date: one piece, planned for its values."""
    value = sort_value(page.query.sort)
    order = (value, event.c.event_id, event.c.timeline_id)
    chosen = select(event.c.timeline_id, event.c.event_id, value.label("value")).where(
        in_timelines(page.query, event), *in_window(page.query, event), *conditions(page.query, event)
    )
    if page.is_continued:
        chosen = chosen.where(_comes_after(page.query, *order))
    return chosen.order_by(*ordered(page.query, *order)).limit(_LIMIT).cte("keys")


def _keys_by_date(page: PageShape) -> CTE:
    """Select the keys of a page by date: the halves of the window, each limited, united and limited."""
    shape = page.query
    place = window_scope(shape, event)
    has_running = place.pivot is not None and not place.begins_inside
    halves = []
    if has_running and not (page.past_pivot and shape.sort == "date"):
        halves.append(_half(page, running=True))
    if not (has_running and page.past_pivot and shape.sort == "-date"):
        halves.append(_half(page, running=False))
    # materialised, or a generic plan folds a wide half into the rest and loses its limit
    ctes = [half.cte(name).prefix_with("MATERIALIZED") for half, name in zip(halves, "ab", strict=False)]
    rows = union_all(*(select(cte) for cte in ctes)).subquery("rows")
    order = ordered(shape, rows.c.value, rows.c.event_id, rows.c.timeline_id)
    # an event that two values of the leading filter found counts once
    keys = select(rows).distinct() if page.lead else select(rows)
    return keys.order_by(*order).limit(_LIMIT).cte("keys")


def _half(page: PageShape, *, running: bool) -> Select[Any]:
    """Select the keys of one half: what already runs at the window's pivot, or what begins there or later."""
    shape, lead = page.query, page.lead
    base: FromClause = event if lead is None else facet_column(lead).table
    sources: list[FromClause] = []
    timeline_id = TIMELINE_ID
    if not shape.one_timeline:
        sources.append(timeline)
        timeline_id = timeline.c.timeline_id
    where = [base.c.timeline_id == timeline_id]
    if lead is not None:
        values = func.unnest(facet_values(lead)).table_valued("value", name="lead").render_derived()
        sources.append(values)
        where.append(base.c[facet_column(lead).name] == values.c.value)
    where += _in_half(shape, base, running=running)
    if page.is_continued:
        where.append(_comes_after(shape, base.c.start_earliest, base.c.event_id, base.c.timeline_id))
    walked: FromClause = base
    checks = conditions(shape, event, without=lead)
    if base is not event and checks:
        walked = base.join(event, (event.c.timeline_id == base.c.timeline_id) & (event.c.event_id == base.c.event_id))
    chosen = (
        select(base.c.timeline_id, base.c.event_id, base.c.start_earliest.label("value"))
        .select_from(walked)
        .where(*where, *checks)
        .order_by(*ordered(shape, base.c.start_earliest, base.c.event_id, base.c.timeline_id))
        .limit(_LIMIT)
    )
    if base in _MANY_OF_AN_EVENT:
        chosen = chosen.distinct()  # before the limit: an event counts once, however many of its rows are found
    if not sources:
        return chosen
    found = lateral(chosen.correlate(*sources), "found")
    outer: FromClause = sources[0]
    for source in sources[1:]:
        outer = outer.join(source, true())
    rows = select(found.c.timeline_id, found.c.event_id, found.c.value).select_from(outer.join(found, true()))
    return rows if shape.one_timeline else rows.where(is_visible())


def _in_half(shape: Shape, base: FromClause, *, running: bool) -> list[Condition]:
    place = window_scope(shape, event)
    if running:
        return [base.c.possible.op("@>")(place.pivot), base.c.start_earliest < place.pivot]
    terms: list[Condition] = []
    if place.pivot is not None:
        terms.append(base.c.start_earliest >= place.pivot)
    if place.upper is not None:
        terms.append(base.c.start_earliest < place.upper)
    return terms
