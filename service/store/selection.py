"""The one WHERE of a range query: the same for a page, a count, an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    FromClause,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import UUID

from service.dates import Relation
from service.store.adapters import At
from service.store.extent import Extent, extent
from service.store.query import FACETS, Caller, EventQuery, Sort, timeline_id_of
from service.store.window import Condition, WindowShape, holds
from service.tables import (
    REACHES,
    UNDECIDED,
    claim,
    event,
    event_participant,
    event_state,
    event_topic,
    state_facet,
    timeline,
)

TIMELINE_ID: ColumnElement[Any] = bindparam("timeline_id", type_=UUID(as_uuid=True))
EVENT_ID: ColumnElement[Any] = bindparam("event_id", type_=UUID(as_uuid=True))
_SEES_ALL: ColumnElement[Any] = bindparam("sees_all", type_=Boolean)
_SEES_PUBLIC: ColumnElement[Any] = bindparam("sees_public", type_=Boolean)
_SEES_TIMELINES: ColumnElement[Any] = bindparam("sees_timelines", type_=ARRAY(UUID(as_uuid=True)))
SEARCH: ColumnElement[Any] = func.websearch_to_tsquery("english", bindparam("text", type_=Text))

KNOWN_AT: ColumnElement[Any] = bindparam("known_at", type_=DateTime(timezone=True))

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
    disputed: bool | None
    text: bool
    sort: Sort
    past: bool

    @classmethod
    def of(cls, query: EventQuery) -> Shape:
        """Take the shape of a query."""
        window = query.window
        return cls(
            one_timeline=query.timeline is not None,
            window=None if window is None else WindowShape.of(window, query.relation, query.certainty),
            facets=tuple(name for name in FACETS if query.facets.get(name)),
            overdue=query.overdue,
            disputed=query.disputed,
            text=query.text is not None,
            sort=query.sort,
            past=query.known_at is not None,
        )

    @property
    def events(self) -> Table:
        """The table that the answer comes from: the events as they stand, or their states."""
        return event_state if self.past else event

    @property
    def reaches(self) -> Sequence[int]:
        """The reaches that the answer's events may have: where their ends have passed, not the one without end."""
        window = self.window
        has_ended = window is not None and window.relation is Relation.BEFORE and window.is_certain
        return REACHES[:-1] if self.overdue or has_ended else REACHES

    @property
    def leads(self) -> tuple[str, ...]:
        """Name the filters that narrow the answer to some values."""
        return self.facets + self.implied

    @property
    def implied(self) -> tuple[str, ...]:
        """Name the filter that another parameter comes to."""
        return ("status",) if self.overdue and "status" not in self.facets else ()


def values_of(query: EventQuery, caller: Caller) -> dict[str, object]:
    """Give the values that a statement of this query's shape is run with."""
    values = caller.sight
    if query.timeline is not None:
        values["timeline_id"] = timeline_id_of(query.timeline)
    if query.window is not None:
        values["window_start"] = At(query.window.start)
        values["window_end"] = At(query.window.end)
    place = extent_of(query)
    values |= {f"floor_{reach}": At(floor) for reach, floor in zip(REACHES, place.floors(), strict=True)}
    values |= {"last": At(place.last), "runs_past": At(place.runs_past)}
    is_past = query.known_at is not None
    if query.known_at is not None:
        values["known_at"] = At(query.known_at)
    asked = dict(query.facets)
    if query.overdue and not asked.get("status"):
        asked["status"] = UNDECIDED
    for name, chosen in asked.items():
        if chosen:
            named = [f"{name}:{one}" for one in chosen] if is_past else chosen
            values[f"{name}_values"] = sorted(set(named))
            values[f"{name}_value"] = named[0]
    if query.text is not None:
        values["text"] = query.text
    return values


def extent_of(query: EventQuery) -> Extent:
    """Say where in time the answer lies."""
    return extent(query.window, query.relation, query.certainty)


def instant_value(name: str) -> ColumnElement[Any]:
    """Make a parameter that holds an instant."""
    return bindparam(name, type_=DateTime(timezone=True))


def facet_column(name: str, *, past: bool) -> ColumnElement[Any]:
    """Name the column that a filter compares: of past states all their values stand in one, by filter and value."""
    return state_facet.c.facet if past else _FACET_COLUMNS[name]


def facet_values(name: str) -> ColumnElement[Any]:
    """Make the parameter that holds a filter's values, any of which will do."""
    return bindparam(f"{name}_values", type_=ARRAY(Text(collation="C")))


def facet_value(name: str) -> ColumnElement[Any]:
    """Make the parameter that holds a filter's value where it has but one."""
    return bindparam(f"{name}_value", type_=Text(collation="C"))


def is_event(rows: Table) -> tuple[Condition, Condition]:
    """Tell of a row of an event, of its states or of what belongs to it that it is of the one asked for."""
    return rows.c.timeline_id == TIMELINE_ID, rows.c.event_id == EVENT_ID


def is_visible() -> Condition:
    """Tell whether the caller may know of a row of `timeline`."""
    return or_(
        _SEES_ALL,
        and_(timeline.c.visibility == "public", _SEES_PUBLIC),
        timeline.c.timeline_id == func.any(_SEES_TIMELINES),
    )


def is_overdue(events: FromClause, *, past: bool = False) -> Condition:
    """Tell whether an event should have happened by now, or by then, and nobody says that it did or did not."""
    return and_(or_(*(events.c.status == status for status in UNDECIDED)), has_passed(events, past=past))


def has_passed(events: FromClause, *, past: bool) -> Condition:
    """Tell whether an event's latest end has passed by now, or had passed by then."""
    return events.c.end_latest < moment(past=past)


def moment(*, past: bool) -> ColumnElement[Any]:
    """Name the instant that is now, or was then."""
    return KNOWN_AT if past else func.now()


def facet_condition(name: str, events: FromClause) -> Condition:
    """Tell whether an event has one of a filter's values."""
    if events is event_state:
        found: Condition = event_state.c.facets.op("&&")(facet_values(name))
        return found
    column = facet_column(name, past=False)
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


def known_then(events: FromClause) -> list[Condition]:
    """List what holds of the states that were known at an instant, and are no tombstones."""
    return [events.c.known.op("@>")(KNOWN_AT), events.c.document.is_not(None)]


def conditions(
    shape: Shape, events: FromClause, *, without: str | None = None, is_known: bool = False
) -> list[Condition]:
    """List what an event must satisfy besides its timeline.

    `without` leaves out one filter, `is_known` that a past state was known then.
    """
    terms: list[Condition] = [] if shape.window is None else [holds(shape.window, events)]
    if shape.past and not is_known:
        terms += known_then(events)
    terms += [facet_condition(name, events) for name in shape.facets if name != without]
    if shape.overdue is not None:
        overdue = is_overdue(events, past=shape.past)
        # where the undecided lead there is no need to say it again, which would mislead the planner
        if shape.overdue and without is not None and without in shape.implied:
            overdue = has_passed(events, past=shape.past)
        terms.append(overdue if shape.overdue else not_(overdue))
    if shape.disputed is not None:
        terms.append(events.c.disputed if shape.disputed else not_(events.c.disputed))
    if shape.text:
        terms.append(events.c.search.op("@@")(SEARCH))
    return terms


def in_reach(events: FromClause, reach: int) -> list[Condition]:
    """List what holds of an event of this reach wherever it belongs to the answer."""
    return [
        events.c.reach == literal_column(str(reach), SmallInteger),
        events.c.start_earliest >= instant_value(f"floor_{reach}"),
        events.c.start_earliest <= instant_value("last"),
        events.c.end_latest > instant_value("runs_past"),
    ]


def in_window(shape: Shape, events: FromClause) -> list[Condition]:
    """List the window's conditions for an index, for a statement in another order than by date."""
    if shape.window is None:
        return []
    return [or_(*(and_(*in_reach(events, reach)) for reach in shape.reaches))]


def keys_of(shape: Shape, rows: FromClause) -> list[ColumnElement[Any]]:
    """Name what tells one row of the answer's table from another: of past states, the version too."""
    names = ("timeline_id", "event_id", "version") if shape.past else ("timeline_id", "event_id")
    return [rows.c[name] for name in names]


def sort_value(shape: Shape) -> ColumnElement[Any]:
    """Name what a sort compares first; identity breaks ties."""
    if shape.sort == "relevance":
        return func.ts_rank(shape.events.c.search, SEARCH).cast(Double)
    return shape.events.c.recorded_at if shape.sort == "-recorded" else shape.events.c.start_earliest


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
