"""Many events at once that were never there, each with its whole history: copied in, and written by one statement.

That makes of the rows what single writes would have made, one after the other. No state stands beside theirs, and
nothing needs to be locked: whoever creates one of them meanwhile meets a key that is taken, or this does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    FromClause,
    Insert,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.schema import CreateTable

from service.dates import DISTANT_FUTURE, parse_instant
from service.errors import DatelineError, Invalid, NotFound, Unavailable
from service.store.adapters import At
from service.store.changes import TRANSACTION, Operation, note_appended, stamp_of
from service.store.failures import constraint_name, is_of_rows, translated
from service.store.histogram_changes import counting
from service.store.placement import Counting, Recorded, Span, spans
from service.store.query import timeline_id_of
from service.store.record import Report
from service.store.rows import INSTANTS, derived_values, event_row, facets, part_rows
from service.store.runs import BOUNDS
from service.store.statement import Connection, Statement, compiled, is_distributed
from service.tables import (
    UNDECIDED,
    change,
    claim,
    event,
    event_participant,
    event_state,
    event_topic,
    feed,
    state_facet,
)
from service.wire.event import Event
from service.wire.shape import document_shape

_PARTS = (event_participant, event_topic, claim)
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare
_INSTANT = DateTime(timezone=True)
# What is said of a state beside its document, and what the feed is to say of it; the rest of a row is the event's.
_OF_THE_STATE: dict[str, Any] = {
    "author": Text(),
    "reason": Text(),
    "supersedes": Boolean(),
    "facets": ARRAY(Text(collation="C")),
    "known_from": _INSTANT,
    "known_to": _INSTANT,
    "state_recorded_at": _INSTANT,
    "is_present": Boolean(),
    "operation": Text(),
    "version_after": Integer(),
    "told_at": _INSTANT,
}
# What the values that the database makes are made of.
_SOURCES: dict[str, Any] = {
    "piece_starts": INSTANTS,
    "piece_ends": INSTANTS,
    "searched_names": Text(),
    "searched_summary": Text(),
    "searched_claims": Text(),
}


# The columns that are sent as they are.
_PLAIN = {one.name for one in event.columns if one.computed is None} - derived_values(bindparam).keys()


# What a tombstone's row has of an event's columns.
_NOTHING: dict[str, object] = dict.fromkeys([*_PLAIN, *_SOURCES]) | {"every_piece": False, "disputed": False}


@dataclass(frozen=True, slots=True)
class NewState:
    """A state to be written: its document, read and as it is to be stored, and what its write said of itself.

    A tombstone has no document. Instants are microseconds since 1970; `reported_at` is from when it is known.
    """

    version: int
    document: Event | None
    text: bytes | None
    shape: int
    reported_at: int
    recorded_at: int
    supersedes: bool
    author: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class NewHistory:
    """An event to be written that was never there: all of its states, in the order in which they were recorded.

    `told_at` is when the feed is to say that they came.
    """

    timeline: str
    event_id: UUID
    states: tuple[NewState, ...]
    told_at: int

    @property
    def present(self) -> NewState:
        """Give the state that is known once all are there."""
        if len(self.states) == 1:
            return self.states[0]
        known = spans(Recorded(one.version, one.reported_at, one.supersedes) for one in self.states)
        return next(one for one in self.states if known[one.version].end == DISTANT_FUTURE)


def newcomer(document: Event, report: Report) -> NewHistory:
    """Make the history of an event to be created: its document is its first state."""
    recorded_at = parse_instant(document.recorded_at)
    state = NewState(
        document.version,
        document,
        document.model_dump_json().encode(),
        document_shape(),
        parse_instant(document.reported_at),
        recorded_at,
        report.supersedes,
        report.author,
        report.reason,
    )
    return NewHistory(document.timeline, document.id, (state,), recorded_at)


def _given() -> Table:
    """Describe what the database gets of each event: its columns, and what others are derived from."""
    kinds: dict[str, Any] = {one.name: one.type for one in event.columns if one.name in _PLAIN}
    columns = [Column(name, kind) for name, kind in (kinds | _OF_THE_STATE | _SOURCES).items()]
    return Table(
        "newcomer",
        MetaData(),
        Column("place_in_order", Integer),
        *columns,
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )


_GIVEN = _given()
_CREATE = str(CreateTable(_GIVEN, if_not_exists=True).compile(dialect=_DIALECT))
_EMPTY = "TRUNCATE newcomer"


async def write_each(
    connection: Connection, histories: Sequence[NewHistory], first: int = 0
) -> list[tuple[int, DatelineError]]:
    """Write all histories that the database takes; give the others, by their place in the sequence, and why.

    Raises NotFound without the timeline, and Unavailable: neither is any history's fault.
    """
    if not histories:
        return []
    try:
        with translated(spread=is_distributed(connection)):
            async with connection.transaction():
                await write_histories(connection, histories)
    except (NotFound, Unavailable):
        raise
    except (DatelineError, psycopg.Error) as error:
        if isinstance(error, psycopg.Error) and not is_of_rows(error):
            raise
        if len(histories) == 1:
            return [(first, error if isinstance(error, DatelineError) else _refusal(error))]
        half = len(histories) // 2
        refused = await write_each(connection, histories[:half], first)
        return refused + await write_each(connection, histories[half:], first + half)
    return []


def _refusal(error: psycopg.Error) -> DatelineError:
    """Say that the database holds no such event: what the service makes itself never is such."""
    name = constraint_name(error)
    return Invalid(f"the database refuses it{f': {name}' if name else ''}")


async def write_histories(connection: Connection, histories: Sequence[NewHistory]) -> None:
    """Write events that were never there, in their order, inside the caller's transaction; but for their links.

    Raises what a single write raises: AlreadyExists where one of them is there all the same.
    """
    if not histories:
        return
    rows: list[dict[str, object]] = []
    parts: dict[str, list[dict[str, object]]] = {table.name: [] for table in _PARTS}
    for one in histories:
        for state, row in _rows_of(one):
            rows.append(row | {"place_in_order": len(rows)})
            if row["is_present"] and state.document is not None:
                for name, some in part_rows(state.document, row).items():
                    if name in parts:
                        parts[name] += some
    await connection.execute(_CREATE)
    await connection.execute(_EMPTY)
    await _copy(connection, _GIVEN, rows)
    await _WRITE.run(connection, await stamp_of(connection))
    for table in _PARTS:
        await _copy(connection, table, parts[table.name])
    note_appended(connection)


def _rows_of(history: NewHistory) -> Iterator[tuple[NewState, dict[str, object]]]:
    """Give the row of each state: until when it is known once all are there, and what the feed says of it."""
    known, told = _course(history.states)
    was_planned = any(
        one.document is not None
        and one.document.status in UNDECIDED
        and known[one.version].start < known[one.version].end
        for one in history.states
    )
    key = {"timeline_id": timeline_id_of(history.timeline), "event_id": history.event_id}
    for state, (operation, version_after) in zip(history.states, told, strict=True):
        span = known[state.version]
        if state.document is None or state.text is None:
            row, found = _NOTHING | key | {"version": state.version, "shape": state.shape}, []
        else:
            row, found = event_row(state.document, state.text.decode()) | {"shape": state.shape}, facets(state.document)
        yield (
            state,
            row
            | {
                "author": state.author,
                "reason": state.reason,
                "supersedes": state.supersedes,
                "facets": found,
                "known_from": At(span.start),
                "known_to": At(span.end),
                "state_recorded_at": At(state.recorded_at),
                "is_present": span.end == DISTANT_FUTURE and state.document is not None,
                "was_planned": was_planned,
                "operation": operation,
                "version_after": version_after,
                "told_at": At(history.told_at),
            },
        )


def _course(states: Sequence[NewState]) -> tuple[dict[int, Span], list[tuple[Operation, int]]]:
    """Say from when until when each state is known in the end, what its write did, and which was present after it."""
    counting_states = Counting()
    known: dict[int, Span] = {}
    told: list[tuple[Operation, int]] = []
    deleted: dict[int, bool] = {}
    for one in states:
        present = counting_states.versions[-1] if counting_states.versions else None
        placement = counting_states.place(one.reported_at, supersedes=one.supersedes)
        counting_states.put(one.version, one.reported_at, placement)
        known |= {span.version: span for span in placement.changed}
        known[one.version] = Span(one.version, one.reported_at, placement.end)
        deleted[one.version] = one.document is None
        if one.document is None:
            told.append(("deleted", one.version))
        elif present is None:
            told.append(("created", one.version))
        elif not placement.is_present:
            told.append(("amended", present))
        else:
            told.append(("revived" if deleted[present] else "amended", one.version))
    return known, told


async def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    names = [column.name for column in table.columns if column.computed is None]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([_wire_type(table.c[name]) for name in names])
        for row in rows:
            await copy.write_row([row[name] for name in names])


def _wire_type(column: Column[Any]) -> str:
    """Name the type that a column's values are sent as: JSON as the text that it is, or it became a string of it."""
    kind = str(column.type.compile(dialect=_DIALECT)).lower()
    return kind.removesuffix(' collate "c"').replace(' collate "c"[]', "[]").replace("json", "text")


def _statement() -> Statement:
    derived = derived_values(lambda name, _: _GIVEN.c[name])
    # what is derived is made once, for a state and for the event that stands so
    made = select(_GIVEN, *(value.label(name) for name, value in derived.items())).order_by(_GIVEN.c.place_in_order)
    given = made.cte("given").prefix_with("MATERIALIZED")
    states = (
        insert(event_state)
        .from_select(*_states_of(given))
        .returning(*(event_state.c[name] for name in ("timeline_id", "facets", *_FACET)))
        .cte("states")
    )
    came = _events_of(given).returning(*(event.c[name] for name in ("timeline_id", *BOUNDS))).cte("came")
    found = _facets_of(states).returning(state_facet.c.timeline_id).cte("found")
    counted = counting(came, 1).returning(literal_column("1")).cte("counted")
    epoch: ColumnElement[Any] = select(feed.c.epoch).scalar_subquery()
    return compiled(
        _changes_of(given, epoch, TRANSACTION).add_cte(states, came, found, counted),
        distributed=_apart(made.subquery("given")),
    )


def _apart(given: FromClause) -> list[Insert]:
    """Write to each table by a statement of its own, as a cluster takes it."""
    names, rows = _states_of(given)
    states = rows.subquery("states")
    told = (states.c[name] for name in ("timeline_id", "facets", *_FACET) if name in states.c)
    found = select(*told, states.c.pieces.is_not(None).label("gapped")).subquery("found")
    came = select(given).where(given.c.is_present).subquery("came")
    stamp = [bindparam("epoch", type_=change.c.epoch.type), bindparam("transaction_id", type_=BigInteger)]
    return [
        _events_of(given),  # first: one that is there by now is told by its key
        insert(event_state).from_select(names, rows),
        _facets_of(found),
        counting(came, 1),
        _changes_of(given, *stamp),
    ]


def _states_of(given: FromClause) -> tuple[list[str], Select[Any]]:
    known = func.tstzrange(given.c.known_from, func.nullif(given.c.known_to, literal_column("'infinity'::timestamptz")))
    values: dict[str, ColumnElement[Any]] = {
        one.name: given.c[one.name] for one in event_state.columns if one.name in given.c
    }
    values |= {
        "known": known.label("known"),
        "reported_at": given.c.known_from.label("reported_at"),
        "recorded_at": given.c.state_recorded_at.label("recorded_at"),
    }
    return list(values), select(*values.values())


def _events_of(given: FromClause) -> Insert:
    names = [one.name for one in event.columns if one.computed is None]
    return insert(event).from_select(names, select(*(given.c[name] for name in names)).where(given.c.is_present))


def _facets_of(states: FromClause) -> Insert:
    found = select(states.c.timeline_id, func.unnest(states.c.facets), *(states.c[name] for name in _FACET))
    return insert(state_facet).from_select(["timeline_id", "facet", *_FACET], found)


def _changes_of(given: FromClause, epoch: ColumnElement[Any], transaction_id: ColumnElement[Any]) -> Insert:
    said = {
        "timeline_id": given.c.timeline_id,
        "epoch": epoch,
        "transaction_id": transaction_id,
        "operation": given.c.operation,
        "event_id": given.c.event_id,
        "state": given.c.version,
        "version": given.c.version_after,
        "recorded_at": given.c.told_at,
    }
    return insert(change).from_select(list(said), select(*said.values()).order_by(given.c.place_in_order))


_FACET = ("start_earliest", "event_id", "version", "end_latest", "known", "gapped")
_WRITE = _statement()
