"""How many events certainly, and how many possibly, lie in each bucket of the calendar.

A bucket's counts are those of a range query whose window is that bucket: of what certainly, or possibly, intersects it.
They are sums of marks (`service.store.runs`) up to that bucket. Of a whole timeline the marks are kept in a summary;
behind filters, and of what was known earlier, they are made of the events that are meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from service.dates import (
    AXIS_END,
    AXIS_START,
    DISTANT_FUTURE,
    DISTANT_PAST,
    Answer,
    Relation,
    Unit,
    Window,
    axis_buckets,
    bucket_of,
    bucket_start,
    parse_window,
)
from service.store.query import Caller, EventQuery, timeline_id_of
from service.store.runs import BOUNDS, MARKS, mark_runs, number
from service.store.selection import TIMELINE_ID, Shape, in_window, values_of
from service.store.statement import Connection, Row, Statement, compiled
from service.store.walks import TEXT, Lead, find_lead, walk
from service.tables import event, histogram, histogram_change

# The most buckets of one histogram.
MOST_BUCKETS = 5_000
_FIRST: ColumnElement[Any] = bindparam("first_bucket", type_=Integer)
# Of a timeline that reaches back for centuries, most days are before this one, and few follow.
_LATE = parse_window("1900").start
# What begins, and what ends it.
_OTHER = {"possible_from": "possible_to", "certain_from": "certain_to"}
_OTHER |= {end: beginning for beginning, end in _OTHER.items()}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket: half-open, in instants, and how many events certainly and possibly lie in it."""

    start: int
    end: int
    certain: int
    possible: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """The buckets from `first` to `last`, by number, both included; none where `last` is before `first`.

    `marks` are rows of a bucket's number and what `MARKS` counts, in order, and more that is not looked at. They are
    not complete where there are more buckets than `MOST_BUCKETS`.
    """

    unit: Unit
    first: int
    last: int
    marks: list[Row]

    def __len__(self) -> int:
        """Count the buckets."""
        return max(0, self.last - self.first + 1)

    def __iter__(self) -> Iterator[Bucket]:
        """Sum up the marks, bucket by bucket."""
        certain = possible = 0
        inside: dict[int, Row] = {}
        for mark in self.marks:
            if mark[0] >= self.first:
                inside[mark[0]] = mark
            else:
                possible += mark[1] - mark[2]
                certain += mark[3] - mark[4]
        none = (0, 0, 0, 0, 0)
        end = bucket_start(self.unit, self.first)
        for bucket in range(self.first, self.last + 1):
            start, end = end, bucket_start(self.unit, bucket + 1)
            _, possible_from, possible_to, certain_from, certain_to, *_ = inside.get(bucket, none)
            yield Bucket(start, end, certain + certain_from, possible + possible_from)
            certain += certain_from - certain_to
            possible += possible_from - possible_to


@dataclass(frozen=True, slots=True)
class _Form:
    """All that decides a statement: the unit, and which ends of the histogram are given.

    `query` is the shape of the events that are meant, None for the whole timeline as it is.
    """

    unit: Unit
    is_begun: bool
    is_ended: bool
    is_late: bool = False  # whether it begins at `_LATE` or after
    query: Shape | None = None
    lead: Lead | None = None


async def read_histogram(connection: Connection, query: EventQuery, caller: Caller, unit: Unit) -> Histogram:
    """Count a timeline's events by buckets.

    The query's window says no more than which buckets: those that meet it. Its relation and certainty have no meaning.
    An open end is the outermost bucket in which something begins or ends, possibly or certainly, or where there is none
    the bucket at the window's other end.
    """
    window = query.window or Window(DISTANT_PAST, DISTANT_FUTURE)
    first = None if window.start == DISTANT_PAST else bucket_of(unit, window.start)
    last = None if window.end == DISTANT_FUTURE else bucket_of(unit, window.end - 1)
    if first is not None and last is not None and last - first >= MOST_BUCKETS:
        return Histogram(unit, first, last, [])
    is_late = first is not None and bucket_start(unit, first) >= _LATE
    form = _Form(unit, first is not None, last is not None, is_late)
    timeline_id = timeline_id_of(str(query.timeline))
    values: dict[str, object] = {"first_bucket": first, "last_bucket": last, "timeline_id": timeline_id}
    # what is counted behind a filter depends on the filter's value: PostgreSQL plans for it
    prepare = True
    if _has_filters(query):
        prepare = False
        chosen = replace(
            query, window=_widened(unit, first, last), relation=Relation.INTERSECTS, certainty=Answer.POSSIBLE
        )
        shape = Shape.of(chosen)
        values |= values_of(chosen, caller)
        form = replace(form, query=shape, lead=await find_lead(connection, chosen, shape, values))
    cursor = await _statement(form).run(connection, values, prepare=prepare)
    marks = await cursor.fetchall()
    first, last = _ends(first, last, marks)
    return Histogram(unit, first, last, marks)


def _has_filters(query: EventQuery) -> bool:
    filters = (query.overdue, query.disputed, query.text, query.known_at)
    return any(one is not None for one in filters) or any(query.facets.values())


def _widened(unit: Unit, first: int | None, last: int | None) -> Window | None:
    """Give the window that holds all of these buckets, None for all there are; what reaches beyond the axis is open."""
    if first is None and last is None:
        return None
    start = DISTANT_PAST if first is None else bucket_start(unit, first)
    end = DISTANT_FUTURE if last is None else bucket_start(unit, last + 1)
    return Window(DISTANT_PAST if start < AXIS_START else start, DISTANT_FUTURE if end > AXIS_END else end)


def _ends(first: int | None, last: int | None, marks: list[Row]) -> tuple[int, int]:
    """Find the ends that the window leaves open."""
    least, most = marks[0][len(MARKS) + 1 :] if marks else (None, None)
    if first is None and last is None:
        return (0, -1) if least is None else (least, most)
    if first is None:
        assert last is not None  # noqa: S101  # or the window were open on both sides
        return (last if least is None else min(least, last)), last
    if last is None:
        return first, (first if most is None else max(first, most))
    return first, last


@lru_cache(maxsize=1024)
def _statement(form: _Form) -> Statement:
    """Build the statement that reads marks, once.

    Rows are (bucket, how many by `MARKS`, the least and the greatest marked bucket on the axis), in order. What is
    marked before the first bucket comes as one row, whose bucket is the one before.
    """
    marks = (_kept(form) if form.query is None else _made(form)).subquery("marks")
    bucket: ColumnElement[Any] = marks.c.bucket
    if form.is_begun:
        bucket = func.greatest(bucket, _FIRST - number(1))
    sums = [func.sum(marks.c[name]).label(name) for name in MARKS]
    summed = select(bucket.label("bucket"), *sums).group_by(bucket).having(or_(*(one != number(0) for one in sums)))
    if form.is_ended:
        summed = summed.where(marks.c.bucket <= bindparam("last_bucket", type_=Integer))
    totals = summed.subquery("totals")
    start, end = axis_buckets(form.unit)
    on_axis = totals.c.bucket.between(number(start), number(end))
    return compiled(
        select(
            totals.c.bucket,
            *(totals.c[name] for name in MARKS),
            func.min(totals.c.bucket).filter(on_axis).over(),
            func.max(totals.c.bucket).filter(on_axis).over(),
        )
        .order_by(totals.c.bucket)
        .limit(number(MOST_BUCKETS + 3))
    )


def _kept(form: _Form) -> CompoundSelect[Any]:
    """Select a timeline's marks from its summary, and from what has changed since it was last brought up to date."""
    is_of_unit = (histogram.c.timeline_id == TIMELINE_ID, histogram.c.unit == literal_column(f"'{form.unit}'"))
    kept = [select(histogram.c.bucket, *(histogram.c[name] for name in MARKS)).where(*is_of_unit)]
    if form.is_begun:
        # What comes before is summed up at once: it takes half as long as in groups. Whatever begins ends somewhere:
        # so what has begun before and goes on is as well what ends later, less what begins later.
        comes = histogram.c.bucket >= _FIRST
        summed = comes if form.is_late else histogram.c.bucket < _FIRST
        counts = [histogram.c[_OTHER[name] if form.is_late else name] for name in MARKS]
        before = [func.sum(one).cast(Integer).label(name) for one, name in zip(counts, MARKS, strict=True)]
        kept = [kept[0].where(comes), select((_FIRST - number(1)).label("bucket"), *before).where(*is_of_unit, summed)]
    changed = select(histogram_change).where(histogram_change.c.timeline_id == TIMELINE_ID).cte("changed")
    return union_all(*kept, mark_runs([form.unit], changed)[form.unit])


def _made(form: _Form) -> CompoundSelect[Any]:
    """Select the marks of the events that are meant."""
    shape, lead = form.query, form.lead
    assert shape is not None  # noqa: S101  # else the summary is read
    meant = union_all(*_walks(shape, lead)).cte("meant")
    return mark_runs([form.unit], meant)[form.unit]


def _walks(shape: Shape, lead: Lead | None) -> list[Select[Any]]:
    """Select the events that are meant, each once, with what is needed of them."""
    events = shape.events
    columns = [events.c[name] for name in BOUNDS]
    once = number(1).label("events")
    in_one = shape.window is None or (lead is not None and lead.name == TEXT)
    walks = []
    for reach in [None] if in_one else shape.reaches:
        _, keys = walk(shape, lead, reach, apart=False, joined=True)
        if in_one:
            keys = keys.where(*in_window(shape, events))
        if lead is not None and lead.table is not event and (lead.repeats or lead.several):
            found = keys.add_columns(*columns).distinct().subquery()
            walks.append(select(*(found.c[name] for name in BOUNDS), once))
        else:
            walks.append(keys.with_only_columns(*columns, once, maintain_column_froms=True))
    return walks
