"""Walks: the events of one reach that belong to an answer, as an index yields them.

With filters, one of them leads: its table is walked, and the others are checked on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from service.store.query import EventQuery
from service.store.selection import (
    KNOWN_AT,
    SEARCH,
    TIMELINE_ID,
    Shape,
    conditions,
    facet_column,
    facet_value,
    facet_values,
    in_reach,
    in_timelines,
    keys_of,
    known_then,
    moment,
)
from service.store.statement import Connection, Statement, compiled, explained, planned_rows
from service.tables import claim, event, event_participant, event_state, state_facet, timeline

# The most that is counted to learn which of several filters is the narrowest.
PROBE_LIMIT = 1_000
# Where words are met in the order of the dates, about so many events that have them are wanted; what this comes to with
# more of them is weighed against gathering them all.
WANTED = 100

# Tables in which one event may bear a filter's value more than once.
_MANY_OF_AN_EVENT = (claim, event_participant)
# Which of the past states were known is learnt from an index alone, and only those are looked up.
_walked = event_state.alias("walked")
# What leads when few events have the words that are searched for.
TEXT = "text"


@dataclass(frozen=True, slots=True)
class Lead:
    """The filter that leads, and whether several values of it will do."""

    name: str
    several: bool
    past: bool = False

    @property
    def table(self) -> Table:
        """The table that is walked."""
        if self.name == TEXT:
            return event_state if self.past else event
        table = self.column.table
        assert isinstance(table, Table)  # noqa: S101  # the columns of filters are columns of tables
        return table

    @property
    def column(self) -> ColumnElement[Any]:
        """The column in which the filter's value stands."""
        return facet_column(self.name, past=self.past)

    @property
    def repeats(self) -> bool:
        """Whether one event may be met more than once among one value's."""
        return self.table in _MANY_OF_AN_EVENT


async def find_lead(connection: Connection, query: EventQuery, shape: Shape, values: dict[str, object]) -> Lead | None:
    """Choose the filter that leads: of several, the one with the fewest events, counted up to a limit.

    None where there is none. Words that are searched for lead only if they are the narrowest, and not too many
    events have them. Of filters that all have many, PostgreSQL's guess tells the narrowest.
    """
    words_may_lead = shape.text and shape.one_timeline
    names = (*shape.leads, TEXT) if words_may_lead else shape.leads
    if not names:
        return None
    chosen = names[0]
    if shape.one_timeline and (shape.text or len(names) > 1):
        cursor = await _probe(names, past=shape.past).run(connection, values, prepare=not shape.text)
        counts = (await cursor.fetchall())[0]
        fewest, chosen = min(zip(counts, names, strict=True))
        if fewest >= PROBE_LIMIT:
            narrowest = await _find_narrowest(connection, names, values, past=shape.past)
            if narrowest is None:
                return None
            chosen = narrowest
    return Lead(chosen, several=chosen != TEXT and len(set(query.facets.get(chosen, ()))) != 1, past=shape.past)


async def _find_narrowest(
    connection: Connection, rivals: tuple[str, ...], values: dict[str, object], *, past: bool
) -> str | None:
    """Choose by how many events PostgreSQL expects of each: it knows the commonest values; None for words of many."""
    if len(rivals) == 1 and TEXT not in rivals:
        return rivals[0]
    expected = {name: await planned_rows(connection, _having(name, past=past), values) for name in rivals}
    if TEXT in expected:
        everything = await planned_rows(connection, _everything(past=past), values)
        if (
            expected[TEXT] ** 2 > WANTED * everything
        ):  # all that have them are more than are walked to find those wanted
            del expected[TEXT]
    return min(expected, key=lambda name: (expected[name], name), default=None)


@lru_cache(maxsize=128)
def _having(name: str, *, past: bool) -> Statement:
    """Build the statement of what has a filter's values, or the words, to be planned, not run."""
    if name == TEXT:
        return explained(_matching(past=past))
    column = facet_column(name, past=past)
    is_of_timeline = column.table.c.timeline_id == TIMELINE_ID
    return explained(select(literal(1)).where(is_of_timeline, column == func.any(facet_values(name))))


@lru_cache(maxsize=2)
def _everything(*, past: bool) -> Statement:
    events = event_state if past else event
    return explained(select(literal(1)).where(events.c.timeline_id == TIMELINE_ID))


def _matching(*, past: bool) -> Select[Any]:
    events = event_state if past else event
    return select(literal(1)).where(events.c.timeline_id == TIMELINE_ID, events.c.search.op("@@")(SEARCH))


@lru_cache(maxsize=128)
def _probe(rivals: tuple[str, ...], *, past: bool) -> Statement:
    return compiled(select(*(_count(name, past=past).scalar_subquery() for name in rivals)))


def _count(name: str, *, past: bool) -> Select[Any]:
    if name == TEXT:
        return select(func.count()).select_from(_matching(past=past).limit(PROBE_LIMIT).subquery())
    column = facet_column(name, past=past)
    table = column.table
    # in an index's order, or the planner might hope to meet the first few soon by reading all
    order = (table.c.reach, table.c.start_earliest, table.c.event_id)
    found = (
        select(literal(1).label("one"))
        .where(table.c.timeline_id == TIMELINE_ID, column == literal_column("lead.value", column.type))
        .order_by(*order)
        .limit(literal_column(str(PROBE_LIMIT)))
        .lateral("found")
    )
    values = func.unnest(facet_values(name)).table_valued("value").render_derived(name="lead")
    return select(func.count()).select_from(values.join(found, true()))


def outer_timeline_id() -> ColumnElement[Any]:
    """Name the timeline of an outer row; as a column it would bring its table into the inner FROM."""
    return literal_column("timeline.timeline_id", timeline.c.timeline_id.type)


def walk(
    shape: Shape, lead: Lead | None, reach: int | None, *, apart: bool, joined: bool = False
) -> tuple[FromClause, Select[Any]]:
    """Select the keys and the value of the answer's events of one reach, or of all; also give the table walked.

    `apart` keeps to one timeline and one value of the leading filter: the outer row's where there are several
    (`timeline`, and `lead.value`). Only so do the rows come in order. `joined` has the events themselves at hand,
    whatever is walked.
    """
    events = shape.events
    base: FromClause = _walked if shape.past else events
    if lead is not None:
        base = lead.table
    where = [_of_timeline(shape, base, apart=apart)]
    if lead is not None and lead.name != TEXT:
        where.append(base.c[lead.column.name] == _value(lead, apart=apart))
    if reach is not None:
        where += in_reach(base, reach)
    if shape.overdue:  # what began only since has not passed: said of what an index is ordered by
        where.append(base.c.start_earliest < moment(past=shape.past))
    walked = base
    if base is state_facet:  # no tombstone has any
        where.append(base.c.known.op("@>")(KNOWN_AT))
    elif shape.past:
        where += known_then(base)
    checks = conditions(shape, events, without=None if lead is None else lead.name, is_known=True)
    if shape.past and base is not events and checks and not joined:
        # no join, which the planner would make one with the walk itself
        same = [_same(shape, base, events)]
        if shape.one_timeline:  # said once more, or a cluster would not see that it is on the same server
            same.append(events.c.timeline_id == TIMELINE_ID)
        looked_up = select(and_(*checks)).where(*same).correlate(base).scalar_subquery()
        is_gap_alone = shape.window is not None and shape.window.minds_only_gaps and len(checks) == 1
        checks = [or_(not_(base.c.gapped), looked_up) if is_gap_alone else looked_up]
    elif base is not events and (checks or joined):
        walked = walked.join(events, _same(shape, base, events))
    keys = select(*keys_of(shape, base), base.c.start_earliest.label("value"))
    return base, keys.select_from(walked).where(*where, *checks)


def _same(shape: Shape, base: FromClause, other: FromClause) -> ColumnElement[bool]:
    return and_(*(here == there for here, there in zip(keys_of(shape, base), keys_of(shape, other), strict=True)))


def _of_timeline(shape: Shape, base: FromClause, *, apart: bool) -> ColumnElement[bool]:
    if shape.one_timeline or not apart:
        return in_timelines(shape, base)
    return base.c.timeline_id == outer_timeline_id()


def _value(lead: Lead, *, apart: bool) -> ColumnElement[Any]:
    if not lead.several:
        return facet_value(lead.name)
    return literal_column("lead.value", lead.column.type) if apart else func.any(facet_values(lead.name))
