"""Many new events at once: their rows are copied in, and one statement makes of them what a single write makes.

Only events that were never there are written so: no state stands beside theirs, and nothing needs to be locked. Whoever
creates one of them meanwhile meets a key that is taken, or this does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
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

from service.store.changes import TRANSACTION, note_appended, stamp_of
from service.store.histogram_changes import counting
from service.store.record import Report
from service.store.rows import INSTANTS, derived_values, event_row, facets, part_rows
from service.store.runs import BOUNDS
from service.store.statement import Connection, Statement, compiled
from service.tables import change, claim, event, event_participant, event_state, event_topic, feed, state_facet
from service.wire.event import Event

_PARTS = (event_participant, event_topic, claim)
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare
# What a state says of the write; the rest of a row is the event's.
_OF_THE_REPORT: dict[str, Any] = {
    "author": Text(),
    "reason": Text(),
    "supersedes": Boolean(),
    "facets": ARRAY(Text(collation="C")),
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


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An event to be created: its document as its first state, and what its write says of itself."""

    document: Event
    report: Report


def _given() -> Table:
    """Describe what the database gets of each event: its columns, and what others are derived from."""
    kinds: dict[str, Any] = {one.name: one.type for one in event.columns if one.name in _PLAIN}
    columns = [Column(name, kind) for name, kind in (kinds | _OF_THE_REPORT | _SOURCES).items()]
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


async def write_newcomers(connection: Connection, newcomers: Sequence[Newcomer]) -> None:
    """Create events that were never there, in their order, inside the caller's transaction.

    Raises what a single write raises: AlreadyExists where one of them is there all the same.
    """
    if not newcomers:
        return
    rows = []
    parts: dict[str, list[dict[str, object]]] = {table.name: [] for table in _PARTS}
    for i, one in enumerate(newcomers):
        row = event_row(one.document, one.document.model_dump_json())
        report = {"author": one.report.author, "reason": one.report.reason, "supersedes": one.report.supersedes}
        rows.append(row | report | {"facets": facets(one.document), "place_in_order": i})
        for name, some in part_rows(one.document, row).items():
            if name in parts:
                parts[name] += some
    await connection.execute(_CREATE)
    await connection.execute(_EMPTY)
    await _copy(connection, _GIVEN, rows)
    await _WRITE.run(connection, await stamp_of(connection))
    for table in _PARTS:
        await _copy(connection, table, parts[table.name])
    note_appended(connection)


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
    values = {name: _GIVEN.c[name] for name in sorted(_PLAIN)} | derived_values(lambda name, _: _GIVEN.c[name])
    events = insert(event).from_select(
        list(values), select(*values.values()).select_from(_GIVEN).order_by(_GIVEN.c.place_in_order)
    )
    came = events.returning(*(event.c[name] for name in ("timeline_id", "event_id", *BOUNDS, "search"))).cte("came")
    states = (
        insert(event_state)
        .from_select(*_state_of(came))
        .returning(*(event_state.c[name] for name in ("timeline_id", "facets", *_FACET)))
        .cte("states")
    )
    found = _facets_of(states).returning(state_facet.c.timeline_id).cte("found")
    counted = counting(came, 1).returning(literal_column("1")).cte("counted")
    epoch: ColumnElement[Any] = select(feed.c.epoch).scalar_subquery()
    return compiled(
        _changes(epoch, TRANSACTION).add_cte(came, states, found, counted),
        distributed=[events, *_apart(values)],
    )


def _apart(values: Mapping[str, ColumnElement[Any]]) -> list[Insert]:
    """Write all but the events by statements of their own, each of what was copied in: one cannot write to several."""
    came = select(*(values[name].label(name) for name in ("timeline_id", "event_id", *BOUNDS, "search"))).subquery(
        "came"
    )
    names, rows = _state_of(came)
    states = rows.subquery("states")
    given = {name: states.c[name] for name in ("timeline_id", "facets", *_FACET) if name in states.c}
    found = select(*given.values(), states.c.pieces.is_not(None).label("gapped")).subquery("found")
    stamp = [bindparam("epoch", type_=change.c.epoch.type), bindparam("transaction_id", type_=BigInteger)]
    return [insert(event_state).from_select(names, rows), _facets_of(found), counting(came, 1), _changes(*stamp)]


def _facets_of(states: FromClause) -> Insert:
    found = select(states.c.timeline_id, func.unnest(states.c.facets), *(states.c[name] for name in _FACET))
    return insert(state_facet).from_select(["timeline_id", "facet", *_FACET], found)


def _changes(epoch: ColumnElement[Any], transaction_id: ColumnElement[Any]) -> Insert:
    said = {
        "timeline_id": _GIVEN.c.timeline_id,
        "epoch": epoch,
        "transaction_id": transaction_id,
        "operation": literal_column("'created'"),
        "event_id": _GIVEN.c.event_id,
        "state": _GIVEN.c.version,
        "version": _GIVEN.c.version,
        "recorded_at": _GIVEN.c.recorded_at,
    }
    written = select(*said.values()).select_from(_GIVEN).order_by(_GIVEN.c.place_in_order)
    return insert(change).from_select(list(said), written)


_FACET = ("start_earliest", "event_id", "version", "end_latest", "known", "gapped")


def _state_of(came: Any) -> tuple[list[str], Select[Any]]:  # noqa: ANN401  # a CTE
    """Make of each event that came the one state that it has, known from its report on."""
    same: dict[str, ColumnElement[Any]] = {
        one.name: _GIVEN.c[one.name] for one in event_state.columns if one.name in _GIVEN.c
    }
    values = same | {
        "known": func.tstzrange(_GIVEN.c.reported_at, literal_column("NULL")).label("known"),
        "pieces": came.c.pieces,
        "search": came.c.search,
    }
    joined = _GIVEN.join(came, came.c.event_id == _GIVEN.c.event_id)
    return list(values), select(*values.values()).select_from(joined)


_WRITE = _statement()
