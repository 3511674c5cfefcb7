"""The states of an event on the reported clock: which was known when, and where a report takes its place.

At any time the states that count follow each other without a gap: each is known from its report until the next
one's, the last for ever. A report is put at its place among them; one that supersedes ends all that come after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Text, bindparam, case, func, insert, literal_column, select, update

from service.dates import DISTANT_FUTURE
from service.store.adapters import At
from service.store.query import timeline_id_of
from service.store.rows import derived_values
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled, parameters
from service.tables import change, event_state, state_facet


@dataclass(frozen=True, slots=True)
class Known:
    """A state that counts: its version, and the instant from which it is known."""

    version: int
    start: int


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when a state is known: half-open; empty where both are one."""

    version: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a report comes to stand: until when it is known, and what becomes of those around it.

    `before` is the version that it follows on, None for a report older than all; `changed` are the spans of other
    states that are not what they were.
    """

    end: int
    before: int | None
    changed: tuple[Span, ...]

    @property
    def is_present(self) -> bool:
        """Tell whether the report is what is known now."""
        return self.end == DISTANT_FUTURE


def place_report(states: Sequence[Known], at: int, *, supersedes: bool) -> Placement:
    """Put a report among the states that count, given in the order of their starts.

    A state that was reported at the same instant gives way, as do all later ones where the report supersedes.
    """
    starts = [one.start for one in states]
    first = bisect_left(starts, at)
    after = len(states) if supersedes else bisect_right(starts, at)
    end = states[after].start if after < len(states) else DISTANT_FUTURE
    changed = [Span(one.version, one.start, one.start) for one in states[first:after]]
    if first:
        changed.insert(0, Span(states[first - 1].version, states[first - 1].start, at))
    before = states[bisect_right(starts, at) - 1].version if bisect_right(starts, at) else None
    return Placement(end, before, tuple(changed))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A state as it was recorded: what decides, with those recorded before, which states count."""

    version: int
    start: int
    supersedes: bool


def spans(recorded: Iterable[Recorded]) -> dict[int, Span]:
    """Give from when until when each state is known, by version, from the order in which they were recorded.

    The same as the store keeps it, for any time at which it recorded them.
    """
    # the starts that count and their versions, in order: each report changes them around its place alone
    starts: list[int] = []
    versions: list[int] = []
    found: dict[int, Span] = {}
    for one in recorded:
        first = bisect_left(starts, one.start)
        after = len(starts) if one.supersedes else bisect_right(starts, one.start)
        end = starts[after] if after < len(starts) else DISTANT_FUTURE
        for gone in range(first, after):
            found[versions[gone]] = Span(versions[gone], starts[gone], starts[gone])
        if first:
            found[versions[first - 1]] = Span(versions[first - 1], starts[first - 1], one.start)
        found[one.version] = Span(one.version, one.start, end)
        starts[first:after], versions[first:after] = [one.start], [one.version]
    return found


@dataclass(frozen=True, slots=True)
class State:
    """A state that counts, as it stands in the store.

    The document is that of the present state alone: of others it is read where it is needed.
    """

    version: int
    start: int
    author: str
    is_tombstone: bool
    document: bytes | None


@dataclass(frozen=True, slots=True)
class Identity:
    """All that counts of an event, locked for a write: states in the order of their starts, the newest version.

    `created_at` is when the first state was recorded, `recorded_at` when the newest was; None for an event that never
    was.
    """

    event_id: UUID
    states: tuple[State, ...]
    newest: int
    created_at: int | None = None
    recorded_at: int | None = None

    def clock(self, now: int) -> int:
        """Give the time of a write: one on a clock that was set back is not recorded before those that it follows."""
        return now if self.recorded_at is None else max(now, self.recorded_at)

    @property
    def known(self) -> list[Known]:
        """Give from when each state is known."""
        return [Known(one.version, one.start) for one in self.states]

    @property
    def present(self) -> State | None:
        """Give what is known now; None for an event that never was."""
        return self.states[-1] if self.states else None

    def at(self, instant: int | None) -> State | None:
        """Give the state that was known at an instant, the earliest for one before all, the present for None."""
        if instant is None:
            return self.present
        placement = place_report(self.known, instant, supersedes=False)
        return self.version(placement.before) or (self.states[0] if self.states else None)

    def version(self, version: int | None) -> State | None:
        """Find a state by its version."""
        return next((one for one in self.states if one.version == version), None)


_EVENT_ID = bindparam("event_id", type_=event_state.c.event_id.type)
_IS_EVENT = (event_state.c.timeline_id == TIMELINE_ID, event_state.c.event_id == _EVENT_ID)
_INSTANT = event_state.c.reported_at.type
_INFINITY: ColumnElement[Any] = literal_column("'infinity'::timestamptz")

# Identities are told apart by 64 bits of a hash: two that share them only wait for each other.
_LOCK: Statement = compiled(
    select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("identity", type_=Text), literal_column("0"))))
)
_READ: Statement = compiled(
    select(
        event_state.c.version,
        event_state.c.reported_at,
        event_state.c.author,
        event_state.c.document.is_(None),
        case((func.upper_inf(event_state.c.known), event_state.c.document)),
        func.isempty(event_state.c.known),
        event_state.c.recorded_at,
    )
    .where(*_IS_EVENT)
    .order_by(event_state.c.reported_at, event_state.c.version)
)
_DOCUMENT: Statement = compiled(
    select(event_state.c.document).where(*_IS_EVENT, event_state.c.version == bindparam("state_version", type_=Integer))
)
# Writes outlive what they wrote: a version is never given twice, not even after a purge.
_NEWEST: Statement = compiled(
    select(func.max(change.c.state)).where(change.c.timeline_id == TIMELINE_ID, change.c.event_id == _EVENT_ID)
)
_CHANGE_SPAN: Statement = compiled(
    update(event_state)
    .where(*_IS_EVENT, event_state.c.version == bindparam("span_version", type_=Integer))
    .values(known=func.tstzrange(bindparam("span_start", type_=_INSTANT), bindparam("span_end", type_=_INSTANT)))
)
# Without end, a range keeps its upper bound free: an index tells it apart, and `upper_inf` holds.
_KNOWN = func.tstzrange(
    bindparam("known_from", type_=_INSTANT), func.nullif(bindparam("known_to", type_=_INSTANT), _INFINITY)
)
_FACET = ("start_earliest", "event_id", "version", "end_latest", "reported_at")
_written = (
    insert(event_state)
    .values(
        parameters(event_state) | derived_values(lambda name, kind: bindparam(name, type_=kind)) | {"known": _KNOWN}
    )
    .returning(event_state.c.timeline_id, event_state.c.facets, *(event_state.c[name] for name in _FACET))
    .cte("written")
)
# With the state goes what filters find it by; one statement writes both, or neither.
_INSERT: Statement = compiled(
    insert(state_facet).from_select(
        ["timeline_id", "facet", *_FACET],
        select(_written.c.timeline_id, func.unnest(_written.c.facets), *(_written.c[name] for name in _FACET)),
    )
)
_TOMBSTONE = ("timeline_id", "event_id", "version", "reported_at", "recorded_at", "supersedes", "author", "reason")
_INSERT_TOMBSTONE: Statement = compiled(
    insert(event_state).values(
        {name: value for name, value in parameters(event_state).items() if name in _TOMBSTONE}
        | {"known": _KNOWN, "every_piece": literal_column("false"), "facets": literal_column("'{}'")}
    )
)


async def lock_identity(connection: Connection, timeline_slug: str, event_id: UUID) -> Identity:
    """Lock an event's identity until the transaction ends, whether the event is there or not, and read its states.

    Two statements, since one sees what was committed before it began, and it may have waited for the lock.
    """
    timeline_id = timeline_id_of(timeline_slug)
    await _LOCK.run(connection, {"identity": f"{timeline_id}/{event_id}"})
    cursor = await _READ.run(connection, {"timeline_id": timeline_id, "event_id": event_id})
    rows = await cursor.fetchall()
    states = tuple(State(*row[:5]) for row in rows if not row[5])
    newest = max((row[0] for row in rows), default=0)
    if not rows:
        written = await (await _NEWEST.run(connection, {"timeline_id": timeline_id, "event_id": event_id})).fetchone()
        newest = (written and written[0]) or 0
    recorded = [row[6] for row in rows]
    return Identity(event_id, states, newest, min(recorded, default=None), max(recorded, default=None))


async def read_document(connection: Connection, timeline_slug: str, event_id: UUID, state: State) -> bytes | None:
    """Read the document of a state that counts; None for a tombstone."""
    if state.document is not None or state.is_tombstone:
        return state.document
    key = {"timeline_id": timeline_id_of(timeline_slug), "event_id": event_id}
    row = await (await _DOCUMENT.run(connection, key | {"state_version": state.version})).fetchone()
    return None if row is None else row[0]


async def write_state(connection: Connection, placement: Placement, row: Mapping[str, object]) -> None:
    """Write a state at its place, and shorten or empty what is known of those around it."""
    await _change_spans(connection, placement, row)
    await _INSERT.run(connection, row)


async def write_tombstone(connection: Connection, placement: Placement, row: Mapping[str, object]) -> None:
    """Write that an event is deleted, at its place."""
    await _change_spans(connection, placement, row)
    await _INSERT_TOMBSTONE.run(connection, row)


async def _change_spans(connection: Connection, placement: Placement, row: Mapping[str, object]) -> None:
    key = {name: row[name] for name in ("timeline_id", "event_id")}
    await _CHANGE_SPAN.run_many(
        connection,
        [
            key | {"span_version": one.version, "span_start": At(one.start), "span_end": At(one.end)}
            for one in placement.changed
        ],
    )
