"""Pages of a range query, as one statement whose cost does not depend on how wide the window is.

By date, the events of each reach are walked in order, from where the first of them can belong to the answer
(`service.store.extent`), and the walks are merged as they go; only then are the documents fetched. A window
asked for in one piece is planned well only for some widths, and by a prepared statement's generic plan for
none: measured, see the migration that lays the indexes.

With filters, one of them leads: each of its values is walked so, and the others are checked on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    DateTime,
    Double,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    lateral,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from service.dates import DISTANT_FUTURE, DISTANT_PAST
from service.store.adapters import At
from service.store.connection import Rows
from service.store.query import Caller, EventQuery, Keyset
from service.store.selection import (
    TIMELINE_ID,
    Shape,
    conditions,
    extent_of,
    facet_values,
    in_reach,
    in_window,
    instant_value,
    is_visible,
    keys_of,
    ordered,
    sort_value,
    values_of,
)
from service.store.statement import Connection, Statement, compiled, is_distributed
from service.store.walks import TEXT, Lead, find_lead, outer_timeline_id, walk
from service.store.window import Condition
from service.tables import REACHES, event, timeline

# The most events that one statement gives. Each walk is bounded in so many words, by the least of these that holds the
# page: the planner then knows, whatever the page's own limit, that it need not prepare for reading all. By a bound much
# wider than the page, what it has prepared seems so dear on a large timeline that it plans anew each time.
_BOUNDS = (50, 200, 500)
MOST_EVENTS = _BOUNDS[-1]

_LIMIT: ColumnElement[Any] = bindparam("limit", type_=Integer)
_AFTER_INSTANT: ColumnElement[Any] = bindparam("after_value", type_=DateTime(timezone=True))
_AFTER_RANK: ColumnElement[Any] = bindparam("after_value", type_=Double)
_AFTER_EVENT: ColumnElement[Any] = bindparam("after_event", type_=event.c.event_id.type)
_AFTER_TIMELINE: ColumnElement[Any] = bindparam("after_timeline", type_=event.c.timeline_id.type)

_LEAST_ID, _GREATEST_ID = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class PageShape:
    """A page's form: the query's, whether it follows another, the filter that leads, and the most events of it."""

    query: Shape
    is_continued: bool
    lead: Lead | None
    most: int = _BOUNDS[0]


@dataclass(frozen=True, slots=True)
class EventRows:
    """Stored documents in order (UTF-8 JSON), and where they end if more follow."""

    documents: list[bytes]
    end: Keyset | None


@dataclass(frozen=True, slots=True)
class JoinedEvents:
    """The same as one text: the documents with commas between, nothing where there are none."""

    content: bytes
    end: Keyset | None


async def read_page(
    connection: Connection, query: EventQuery, caller: Caller, *, limit: int, after: Keyset | None
) -> EventRows:
    """Read the page of at most `limit` events (up to MOST_EVENTS) that follows `after`, or the first."""
    found = await _run(page_statement, connection, query, caller, limit=limit, after=after)
    rows = await found.fetchall()
    documents = [row[0] for row in rows[:limit]]
    return EventRows(documents, Keyset(*rows[limit - 1][1:]) if len(rows) > limit else None)


async def read_joined_page(
    connection: Connection, query: EventQuery, caller: Caller, *, limit: int, after: Keyset | None
) -> JoinedEvents:
    """Read the same page with its documents joined: one value comes in two pieces, fifty in nine."""
    if is_distributed(connection):  # which would join what it has brought to one server first
        rows = await read_page(connection, query, caller, limit=limit, after=after)
        return JoinedEvents(b",".join(rows.documents), rows.end)
    found = await _run(joined_statement, connection, query, caller, limit=limit, after=after)
    row = await found.fetchone()
    assert row is not None  # noqa: S101  # an aggregate has a row
    content, number, *last = row
    return JoinedEvents(content or b"", Keyset(*last) if number > limit else None)


async def _run(
    statement: Callable[[PageShape], Statement],
    connection: Connection,
    query: EventQuery,
    caller: Caller,
    *,
    limit: int,
    after: Keyset | None,
) -> Rows:
    """Run a statement for a page, with one event more than it has: whether there is one decides if more follow."""
    shape = Shape.of(query)
    values = values_of(query, caller)
    by_date = query.sort in ("date", "-date")
    lead = await find_lead(connection, query, shape, values) if by_date else None
    page = PageShape(shape, after is not None, lead, next(most for most in _BOUNDS if most >= limit))
    values |= keyset_values(query, after) | {"limit": limit + 1}
    # where the values decide which plan is good, PostgreSQL plans anew for them
    return await statement(page).run(connection, values, prepare=by_date and not shape.text)


def keyset_values(query: EventQuery, after: Keyset | None) -> dict[str, object]:
    """Give the values that say where a page begins.

    By date, these are the first row of each reach that the page may hold, or the last row when it goes backward.
    """
    values: dict[str, object] = {}
    if after is not None:
        value = after.value if query.sort == "relevance" else At(int(after.value))
        values = {"after_value": value, "after_event": after.event_id, "after_timeline": after.timeline_id}
    place = extent_of(query)
    if query.sort == "date":
        begin = (DISTANT_PAST, _LEAST_ID) if after is None else (int(after.value), after.event_id)
        for reach, floor in zip(REACHES, place.floors(), strict=True):
            instant, event_id = max(begin, (floor, _LEAST_ID))
            values |= {f"floor_{reach}": At(instant), f"floor_event_{reach}": event_id}
    elif query.sort == "-date":
        end = (DISTANT_FUTURE, _GREATEST_ID) if after is None else (int(after.value), after.event_id)
        instant, event_id = min(end, (place.last, _GREATEST_ID))
        values |= {"last": At(instant), "last_event": event_id}
    return values


@lru_cache(maxsize=1024)
def page_statement(page: PageShape) -> Statement:
    """Build the statement of a page of this form, once.

    Rows are (document, sort value, event_id, timeline_id).
    """
    chosen = _page(page)
    if page.query.one_timeline:
        return compiled(chosen, distributed=[chosen.where(page.query.events.c.timeline_id == TIMELINE_ID)])
    return compiled(chosen, distributed=[_of_all_servers(page)])


@lru_cache(maxsize=1024)
def joined_statement(page: PageShape) -> Statement:
    """Build the statement of a page of this form as one row, once.

    It is (documents joined, number of rows, sort value, event_id, timeline_id); the last are of the last that is
    joined, which is the one before the limit.
    """
    rows = _page(page).subquery("page")
    # the rows come in the page's order, and are numbered and joined as they come
    numbered = select(rows, func.row_number().over().label("number")).subquery("numbered")
    is_joined = numbered.c.number < _LIMIT
    is_last = numbered.c.number == _LIMIT - literal_column("1", Integer)
    last = (_only(numbered.c[name], is_last) for name in ("value", "event_id", "timeline_id"))
    text = func.string_agg(cast(numbered.c.document, Text), literal_column("','")).filter(is_joined)
    # as bytes, which nobody takes for text that is to be decoded
    content = func.convert_to(text, literal_column("'UTF8'"))
    return compiled(select(content, func.count(), *last))


def _only(column: ColumnElement[Any], is_meant: Condition) -> ColumnElement[Any]:
    """Take the value of the one row that is meant."""
    values = func.array_agg(column, type_=ARRAY(column.type)).filter(is_meant)
    value: ColumnElement[Any] = values[literal_column("1", Integer)]
    return value


def _page(page: PageShape) -> Select[Any]:
    keys = _keys_by_date(page) if page.query.sort in ("date", "-date") else _keys_by(page)
    order = ordered(page.query, keys.c.value, keys.c.event_id, keys.c.timeline_id)
    events = page.query.events
    pairs = zip(keys_of(page.query, events), keys_of(page.query, keys), strict=True)
    return (
        select(events.c.document, keys.c.value, keys.c.event_id, keys.c.timeline_id)
        .select_from(keys)
        .join(events, and_(*(here == there for here, there in pairs)))
        .join(timeline, (timeline.c.timeline_id == events.c.timeline_id) & is_visible())
        .order_by(*order)
    )


def _of_all_servers(page: PageShape) -> Select[Any]:
    """Select a page across timelines that are on several servers: each gives its first, having looked at all it has."""
    shape = page.query
    events = shape.events
    order = (sort_value(shape).label("value"), events.c.event_id, events.c.timeline_id)
    chosen = (
        select(events.c.document, *order)
        .join(timeline, (timeline.c.timeline_id == events.c.timeline_id) & is_visible())
        .where(*in_window(shape, events), *conditions(shape, events))
    )
    if page.is_continued:
        last = _AFTER_RANK if shape.sort == "relevance" else _AFTER_INSTANT
        here, there = tuple_(sort_value(shape), *order[1:]), tuple_(last, _AFTER_EVENT, _AFTER_TIMELINE)
        chosen = chosen.where(here > there if shape.sort == "date" else here < there)
    return chosen.order_by(*ordered(shape, *order)).limit(_LIMIT)


def _keys_by(page: PageShape) -> CTE:
    """Select the keys of a page in an order other than by date: one piece, planned for its values."""
    shape = page.query
    events = shape.events
    order = (sort_value(shape), events.c.event_id, events.c.timeline_id)
    timeline_id = TIMELINE_ID if shape.one_timeline else outer_timeline_id()
    keys = select(*keys_of(shape, events), order[0].label("value")).where(
        events.c.timeline_id == timeline_id, *in_window(shape, events), *conditions(shape, events)
    )
    if page.is_continued:
        last = _AFTER_RANK if shape.sort == "relevance" else _AFTER_INSTANT
        # rows as a whole: the form that an index can begin at
        here, there = tuple_(*order), tuple_(last, _AFTER_EVENT, _AFTER_TIMELINE)
        keys = keys.where(here < there)
    return _gathered(shape, None, keys.order_by(*ordered(shape, *order)).limit(_LIMIT))


def _keys_by_date(page: PageShape) -> CTE:
    """Select the keys of a page by date: walk by walk, merged, each as far as it is needed."""
    shape = page.query
    if page.lead is not None and page.lead.name == TEXT:
        walks: FromClause = _few(page)
    else:
        walks = union_all(*(_walk(page, reach) for reach in shape.reaches)).subquery("walks")
    order = ordered(shape, walks.c.value, walks.c.event_id, walks.c.timeline_id)
    return _gathered(shape, page.lead, select(walks).order_by(*order).limit(_LIMIT))


def _gathered(shape: Shape, lead: Lead | None, keys: Select[Any]) -> CTE:
    """Select the first of the keys that are found for each timeline, and each value of the filter that leads."""
    sources: list[FromClause] = [] if shape.one_timeline else [timeline]
    if lead is not None and lead.several:
        sources.append(func.unnest(facet_values(lead.name)).table_valued("value").render_derived(name="lead"))
    if not sources:
        return keys.cte("keys")
    found = lateral(keys, "found")
    outer, *others = [*sources, found]
    for other in others:
        outer = outer.join(other, true())
    rows = select(*keys_of(shape, found), found.c.value).select_from(outer)
    if not shape.one_timeline:
        rows = rows.where(is_visible())
    if lead is not None and lead.several and lead.table is not event:
        rows = rows.distinct()  # an event that two values found counts once
    order = ordered(shape, found.c.value, found.c.event_id, found.c.timeline_id)
    return rows.order_by(*order).limit(_LIMIT).cte("keys")


def _walk(page: PageShape, reach: int) -> Select[Any]:
    """Walk the events of one reach in order, from where the page begins."""
    shape = page.query
    base, keys = walk(shape, page.lead, reach, apart=True)
    chosen = (
        keys.where(*_begins(page, base, reach))
        .order_by(*ordered(shape, base.c.start_earliest, base.c.event_id, base.c.timeline_id))
        .limit(literal_column(str(page.most + 1)))
    )
    # before the limit: an event counts once, however many of its rows are found
    return chosen.distinct() if page.lead is not None and page.lead.repeats else chosen


def _few(page: PageShape) -> CTE:
    """Gather the few events that have the words, whatever the planner thinks of how many they are."""
    shape = page.query
    _, keys = walk(shape, page.lead, None, apart=True)
    events = shape.events
    begins = or_(*(and_(*in_reach(events, reach), *_begins(page, events, reach)) for reach in shape.reaches))
    return keys.where(begins).cte("few").prefix_with("MATERIALIZED")


def _begins(page: PageShape, base: FromClause, reach: int) -> list[Condition]:
    """List where a walk begins, in the form that an index can begin at: rows compared as a whole."""
    shape = page.query
    here = tuple_(base.c.start_earliest, base.c.event_id)
    event_id_type = event.c.event_id.type
    if shape.sort == "date":
        floor_event: ColumnElement[Any] = bindparam(f"floor_event_{reach}", type_=event_id_type)
        terms: list[Condition] = [here >= tuple_(instant_value(f"floor_{reach}"), floor_event)]
    else:
        terms = [here <= tuple_(instant_value("last"), bindparam("last_event", type_=event_id_type))]
    if page.is_continued:
        beyond: Condition = here != tuple_(_AFTER_INSTANT, _AFTER_EVENT)
        if not shape.one_timeline:
            # an event of the same identity, in a timeline that comes later
            timeline_id, last = base.c.timeline_id, _AFTER_TIMELINE
            beyond = or_(beyond, timeline_id > last if shape.sort == "date" else timeline_id < last)
        terms.append(beyond)
    return terms
