"""The one WHERE of a range query: the same for a page, a count, an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Text,
    and_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import UUID

from service.store.adapters import At
from service.store.query import FACETS, Caller, EventQuery, Sort, timeline_id_of
from service.store.window import Condition, Scope, WindowShape, range_between, scope
from service.tables import claim, event, event_participant, event_topic, timeline

TIMELINE_ID: ColumnElement[Any] = bindparam("timeline_id", type_=UUID(as_uuid=True))
SEES_PRIVATE: ColumnElement[Any] = bindparam("sees_private", type_=Boolean)
SEARCH: ColumnElement[Any] = func.websearch_to_tsquery("english", bindparam("text", type_=Text))

# Where each filter's value stands: a table of the event's, and its column.
_FACET_COLUMNS = {
    "source": claim.c.source,
    "actor": event_participant.c.actor,
    "topic": event_topic.c.topic,
    "place": event.c.place,
    "kind": event.c.kind,
    "status": event.c.status,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a query that decides its statement's form: hashable, few in number, so that each is built once."""

    one_timeline: bool
    window: WindowShape | None
    facets: tuple[str, ...]
    overdue: bool | None
    text: bool
    sort: Sort

    @classmethod
    def of(cls, query: EventQuery) -> Shape:
        """Take the shape of a query."""
        window = query.window
        return cls(
            one_timeline=query.timeline is not None,
            window=None if window is None else WindowShape.of(window, query.relation, query.certainty),
            facets=tuple(name for name in FACETS if query.facets.get(name)),
            overdue=query.overdue,
            text=query.text is not None,
            sort=query.sort,
        )


def values_of(query: EventQuery, caller: Caller) -> dict[str, object]:
    """Give the values that a statement of this query's shape is run with."""
    values: dict[str, object] = {"sees_private": caller.sees_private}
    if query.timeline is not None:
        values["timeline_id"] = timeline_id_of(query.timeline)
    if query.window is not None:
        values["window_start"] = At(query.window.start)
        values["window_end"] = At(query.window.end)
    for name, chosen in query.facets.items():
        if chosen:
            values[f"{name}_values"] = sorted(set(chosen))
    if query.text is not None:
        values["text"] = query.text
    return values


def facet_column(name: str) -> ColumnElement[Any]:
    """Name the column that a filter compares."""
    return _FACET_COLUMNS[name]


def facet_values(name: str) -> ColumnElement[Any]:
    """Make the parameter that holds a filter's values, any of which will do."""
    return bindparam(f"{name}_values", type_=ARRAY(Text(collation="C")))


def is_visible() -> Condition:
    """Tell whether the caller may know of a row of `timeline`."""
    return or_(timeline.c.visibility == "public", SEES_PRIVATE)


def is_overdue(events: FromClause) -> Condition:
    """Tell whether an event should have happened by now and nobody says that it did or did not."""
    undecided = or_(events.c.status == "planned", events.c.status == "tentative")
    return and_(undecided, events.c.end_latest < func.now())


def window_scope(shape: Shape, events: FromClause) -> Scope:
    """Say where in time the answer lies; everywhere without a window."""
    if shape.window is None:
        return Scope(None, None, begins_inside=True, holds=true())
    return scope(shape.window, events)


def facet_condition(name: str, events: FromClause) -> Condition:
    """Tell whether an event has one of a filter's values."""
    column = facet_column(name)
    if column.table is event:
        chosen: Condition = events.c[column.name] == func.any(facet_values(name))
        return chosen
    side = column.table.alias()
    return exists(
        select(1).where(
            side.c.timeline_id == events.c.timeline_id,
            side.c.event_id == events.c.event_id,
            side.c[column.name] == func.any(facet_values(name)),
        )
    )


def conditions(shape: Shape, events: FromClause, *, without: str | None = None) -> list[Condition]:
    """List what an event must satisfy besides its timeline; `without` leaves out one filter."""
    terms: list[Condition] = [window_scope(shape, events).holds] if shape.window else []
    terms += [facet_condition(name, events) for name in shape.facets if name != without]
    if shape.overdue is not None:
        terms.append(is_overdue(events) if shape.overdue else not_(is_overdue(events)))
    if shape.text:
        terms.append(events.c.search.op("@@")(SEARCH))
    return terms


def in_window(shape: Shape, events: FromClause) -> list[Condition]:
    """List the index conditions of the window in one piece, for a statement in another order than by date."""
    place = window_scope(shape, events)
    if not place.begins_inside:
        return [events.c.possible.op("&&")(range_between(place.pivot, place.upper))]
    terms: list[Condition] = []
    if place.pivot is not None:
        terms.append(events.c.start_earliest >= place.pivot)
    if place.upper is not None:
        terms.append(events.c.start_earliest < place.upper)
    return terms


def sort_value(sort: Sort) -> ColumnElement[Any]:
    """Name what a sort compares first; identity breaks ties."""
    if sort == "relevance":
        return func.ts_rank(event.c.search, SEARCH).cast(Double)
    return event.c.recorded_at if sort == "-recorded" else event.c.start_earliest


def ordered(
    shape: Shape, value: ColumnElement[Any], event_id: ColumnElement[Any], timeline_id: ColumnElement[Any]
) -> list[ColumnElement[Any]]:
    """Order by the sort's value, then by identity: a total order, and `-date` the exact reverse of `date`."""
    columns = [value, event_id] if shape.one_timeline else [value, event_id, timeline_id]
    return [column.asc() if shape.sort == "date" else column.desc() for column in columns]


def in_timelines(shape: Shape, events: FromClause) -> Condition:
    """Keep to the timeline asked for, or to all that the caller sees."""
    if shape.one_timeline:
        return events.c.timeline_id == TIMELINE_ID
    return events.c.timeline_id.in_(select(timeline.c.timeline_id).where(is_visible()))
