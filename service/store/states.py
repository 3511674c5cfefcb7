"""An event's identity, locked for a write, with all of its states that count; and how another state is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    Update,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    select,
    update,
)

from service.dates import DISTANT_FUTURE, parse_instant
from service.store.adapters import At
from service.store.changes import append_change
from service.store.placement import Counting, Placement
from service.store.query import timeline_id_of
from service.store.rows import derived_parameters, event_row, facets
from service.store.selection import TIMELINE_ID, is_event
from service.store.statement import Connection, Statement, compiled, parameters
from service.tables import UNDECIDED, change, event, event_state, state_facet
from service.wire.event import Event
from service.wire.shape import upgraded

# Who wrote what was there before authors were kept.
UNKNOWN_AUTHOR = "unknown"


@dataclass(frozen=True, slots=True)
class State:
    """A state that counts, as it stands in the store; a tombstone has no status.

    The document is that of the present state alone, in the present shape: of others it is read where it is needed.
    """

    version: int
    start: int
    author: str
    reason: str | None
    status: str | None
    document: bytes | None

    @property
    def is_tombstone(self) -> bool:
        """Tell whether it says that the event was deleted."""
        return self.status is None


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
    def counting(self) -> Counting:
        """Give from when each state is known."""
        return Counting([one.start for one in self.states], [one.version for one in self.states])

    @property
    def present(self) -> State | None:
        """Give what is known now; None for an event that never was."""
        return self.states[-1] if self.states else None

    def at(self, instant: int | None) -> State | None:
        """Give the state that was known at an instant, the earliest for one before all, the present for None."""
        if instant is None:
            return self.present
        placement = self.counting.place(instant, supersedes=False)
        return self.version(placement.before) or (self.states[0] if self.states else None)

    def version(self, version: int | None) -> State | None:
        """Find a state by its version."""
        return next((one for one in self.states if one.version == version), None)

    def was_planned(self, placement: Placement, status: str) -> bool:
        """Tell whether the event was ever known as planned or tentative, once a state of this status has its place."""
        statuses = [one.status for one in self.states]
        statuses[placement.place] = [status]
        return not set(UNDECIDED).isdisjoint(statuses)


_INSTANT = event_state.c.reported_at.type
_INFINITY: ColumnElement[Any] = literal_column("'infinity'::timestamptz")

# Identities are told apart by 64 bits of a hash: two that share them only wait for each other.
_LOCK: Statement = compiled(
    select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("identity", type_=Text), literal_column("0"))))
)
_IDENTITIES = func.unnest(bindparam("identities", type_=ARRAY(Text))).column_valued("identity")
_LOCK_ALL: Statement = compiled(
    select(func.count(func.pg_advisory_xact_lock(func.hashtextextended(_IDENTITIES, literal_column("0")))))
)
_READ: Statement = compiled(
    select(
        event_state.c.version,
        event_state.c.reported_at,
        event_state.c.author,
        event_state.c.reason,
        event_state.c.status,
        case((func.upper_inf(event_state.c.known), event_state.c.document)),
        func.isempty(event_state.c.known),
        event_state.c.recorded_at,
    )
    .where(*is_event(event_state))
    .order_by(event_state.c.reported_at, event_state.c.version)
)
_DOCUMENT: Statement = compiled(
    select(event_state.c.document).where(
        *is_event(event_state), event_state.c.version == bindparam("state_version", type_=Integer)
    )
)
# Writes outlive what they wrote: a version is never given twice, not even after a purge.
_STATELESS: Statement = compiled(
    select(
        select(func.max(change.c.state)).where(*is_event(change)).scalar_subquery(),
        select(event.c.document).where(*is_event(event)).scalar_subquery(),
    )
)
_PLACE = ("timeline_id", "reach", "start_earliest", "event_id", "version")
_IS_STATE = (*is_event(event_state), event_state.c.version == bindparam("span_version", type_=Integer))
_change = (
    update(event_state)
    .where(*_IS_STATE)
    .values(known=func.tstzrange(bindparam("span_start", type_=_INSTANT), bindparam("span_end", type_=_INSTANT)))
)
_changed = _change.returning(event_state.c.known, event_state.c.facets, *(event_state.c[name] for name in _PLACE)).cte(
    "changed"
)


def _follow(states: FromClause) -> Update:
    """Have what filters find a state by be known as long as the state."""
    same = (state_facet.c[name] == states.c[name] for name in _PLACE)
    return (
        update(state_facet).where(state_facet.c.facet == func.any(states.c.facets), *same).values(known=states.c.known)
    )


_CHANGE_SPAN: Statement = compiled(
    _follow(_changed),
    distributed=[_change, _follow(event_state).where(*_IS_STATE, state_facet.c.timeline_id == TIMELINE_ID)],
)
# Without end, a range keeps its upper bound free: an index tells it apart, and `upper_inf` holds.
_KNOWN = func.tstzrange(
    bindparam("known_from", type_=_INSTANT), func.nullif(bindparam("known_to", type_=_INSTANT), _INFINITY)
)
_FACET = ("start_earliest", "event_id", "version", "end_latest", "known", "gapped")
_inserted = insert(event_state).values(parameters(event_state) | derived_parameters() | {"known": _KNOWN})
_written = _inserted.returning(
    event_state.c.timeline_id, event_state.c.facets, *(event_state.c[name] for name in _FACET)
).cte("written")


def _found_by(states: FromClause) -> Select[Any]:
    return select(states.c.timeline_id, func.unnest(states.c.facets), *(states.c[name] for name in _FACET))


# With the state goes what filters find it by; one statement writes both, or neither.
_INSERT: Statement = compiled(
    insert(state_facet).from_select(["timeline_id", "facet", *_FACET], _found_by(_written)),
    distributed=[
        _inserted,
        insert(state_facet).from_select(
            ["timeline_id", "facet", *_FACET],
            _found_by(event_state).where(
                *is_event(event_state), event_state.c.version == bindparam("version", type_=Integer)
            ),
        ),
    ],
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
    key = {"timeline_id": timeline_id_of(timeline_slug), "event_id": event_id}
    await _LOCK.run(connection, {"identity": f"{key['timeline_id']}/{event_id}"})
    rows = await (await _READ.run(connection, key)).fetchall()
    if not rows:
        written, document = (await (await _STATELESS.run(connection, key)).fetchall())[0]
        if document is None:
            return Identity(event_id, (), written or 0)
        await _adopt(connection, document)
        rows = await (await _READ.run(connection, key)).fetchall()
    states = tuple(_state(*row[:6]) for row in rows if not row[6])
    recorded = {row[0]: row[7] for row in rows}
    first, newest = min(recorded), max(recorded)
    created_at = recorded[first]
    if first > 1:  # written before states were kept, or purged since
        ((document,),) = await (await _DOCUMENT.run(connection, key | {"state_version": first})).fetchall()
        created_at = parse_instant(Event.model_validate_json(upgraded(document)).created_at)
    return Identity(event_id, states, newest, created_at, max(recorded.values()))


def _state(version: int, start: int, author: str, reason: str | None, status: str | None, text: bytes | None) -> State:
    return State(version, start, author, reason, status, None if text is None else upgraded(text))


async def _adopt(connection: Connection, document: bytes) -> None:
    """Take an event that has no states for its own first one: a release before them wrote it, on this schema already.

    The feed is told of it too, as it was of all that was there when states came.
    """
    document = upgraded(document)
    present = Event.model_validate_json(document)
    row = event_row(present, document.decode())
    start = At(parse_instant(present.reported_at))
    said = {"known_from": start, "known_to": At(DISTANT_FUTURE), "supersedes": False, "reason": None}
    await _INSERT.run(connection, row | said | {"facets": facets(present), "author": UNKNOWN_AUTHOR})
    await append_change(connection, "created", row | {"state": present.version})


async def lock_identities(connection: Connection, timeline_slug: str, event_ids: Sequence[UUID]) -> None:
    """Lock the identities of several events, one after the other, until the transaction ends."""
    timeline_id = timeline_id_of(timeline_slug)
    await _LOCK_ALL.run(connection, {"identities": [f"{timeline_id}/{one}" for one in event_ids]})


async def read_document(connection: Connection, timeline_slug: str, event_id: UUID, state: State) -> bytes | None:
    """Read the document of a state that counts, in the present shape; None for a tombstone."""
    if state.document is not None or state.is_tombstone:
        return state.document
    key = {"timeline_id": timeline_id_of(timeline_slug), "event_id": event_id}
    row = await (await _DOCUMENT.run(connection, key | {"state_version": state.version})).fetchone()
    return None if row is None else upgraded(row[0])


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
