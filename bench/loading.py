"""Load made-up events fast: rows made by the service's own code, copied in, indexes laid afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from typing import Any

import psycopg
from psycopg import Connection, sql
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Constraint,
    DateTime,
    Insert,
    MetaData,
    Table,
    Text,
    case,
    func,
    insert,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint, dialect
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, DropConstraint
from sqlalchemy.sql import ClauseElement

from bench.events import ACTORS, CHUNK_EVENTS, PLACES, SMALL_TIMELINE, SOURCES, TIMELINE, made_up_events
from bench.histories import State, made_up_histories, only_state
from service.recounting import rebuild_histograms
from service.store.adapters import At, register
from service.store.query import timeline_id_of
from service.store.rows import derived_values, event_row, facets, part_rows
from service.tables import (
    actor,
    claim,
    event,
    event_participant,
    event_state,
    event_topic,
    place,
    source,
    state_facet,
    timeline,
)
from service.wire.shape import FIRST_SHAPE

PARTS = (event_participant, event_topic, claim)
_INDEXED = (event, event_state, *PARTS)
_CHUNK = tuple[str, int, int, bool]  # a timeline, the chunk's number, its events, and whether they have histories


def _given(name: str, table: Table, **others: Any) -> Table:  # noqa: ANN401  # types of columns
    """Describe what the database gets of a table's rows: columns of its own, and what others are derived from."""
    instants = ARRAY(DateTime(timezone=True))
    kinds = {one.name: one.type for one in table.columns if one.computed is None}
    kinds |= {"piece_starts": instants, "piece_ends": instants, **others}
    columns = [Column(one, kind) for one, kind in kinds.items() if one not in ("pieces", "search", "known")]
    return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


_GIVEN_EVENTS = _given("given_event", event, searched_names=Text(), searched_summary=Text(), searched_claims=Text())
_INSTANT = DateTime(timezone=True)
_GIVEN_STATES = _given("given_state", event_state, known_from=_INSTANT, known_to=_INSTANT)


def load(url: str, events: int, *, processes: int = 2, histories: bool = False) -> float:
    """Load so many events into a migrated, empty database, a fiftieth of them into the small timeline.

    With histories each has several states, and those that were deleted in the end are missing among the events. `url`
    is a superuser's. Answers the seconds that it took, until the last VACUUM.
    """
    began = time.perf_counter()
    small = events // 50
    chunks = [*_chunks(TIMELINE, events - small, histories), *_chunks(SMALL_TIMELINE, small, histories)]
    with psycopg.connect(url, autocommit=True) as connection:
        register(connection)
        load_directory(connection)
        with without_indexes(connection):
            if processes == 1:
                for chunk in chunks:
                    _load_chunk(connection, *chunk)
            else:
                with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
                    # a list, so that an error of any chunk is raised
                    list(pool.map(_load_apart, [url] * len(chunks), chunks))
        rebuild_histograms(url)
        connection.execute("VACUUM (ANALYZE)")
    return time.perf_counter() - began


def _chunks(slug: str, events: int, histories: bool) -> Iterator[_CHUNK]:  # noqa: FBT001  # passed on
    for number, first in enumerate(range(0, events, CHUNK_EVENTS)):
        yield slug, number, min(CHUNK_EVENTS, events - first), histories


def load_directory(connection: Connection[Any]) -> None:
    """Write the timelines and the directory that the made-up events are of."""
    timelines = [
        {
            "timeline_id": timeline_id_of(slug), "slug": slug, "title": slug, "visibility": "public", "version": 1,
            "created_at": At(0),
        }
        for slug in (TIMELINE, SMALL_TIMELINE)
    ]  # fmt: skip
    for table, rows in (
        (timeline, timelines),
        (actor, [one.model_dump() | {"version": 1} for one in ACTORS]),
        (place, [one.model_dump() | {"version": 1} for one in PLACES]),
        (source, [one.model_dump() | {"version": 1} for one in SOURCES]),
    ):
        _copy(connection, table, rows)


@contextmanager
def without_indexes(connection: Connection[Any]) -> Iterator[None]:
    """Drop the indexes for the block, the dear ones of constraints too, and lay them anew after it."""
    indexes = [index for table in _INDEXED for index in table.indexes]
    constraints: list[Constraint] = [state_facet.primary_key]
    constraints += [one for one in event_state.constraints if isinstance(one, ExcludeConstraint)]
    for index in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(index.name))))
    for constraint in constraints:
        connection.execute(_ddl(DropConstraint(constraint)))
    yield
    connection.execute("SET maintenance_work_mem = '1GB'")
    for constraint in constraints:
        connection.execute(_ddl(AddConstraint(constraint)))
    for index in indexes:
        connection.execute(_ddl(CreateIndex(index)))


def _load_apart(url: str, chunk: _CHUNK) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        register(connection)
        _load_chunk(connection, *chunk)


def _load_chunk(connection: Connection[Any], slug: str, number: int, events: int, histories: bool) -> None:  # noqa: FBT001  # passed on
    if histories:
        made_up = list(made_up_histories(slug, number, events))
    else:
        made_up = [[only_state(one)] for one in made_up_events(slug, number, events)]
    present, states, deleted = [], [], []
    parts: dict[str, list[dict[str, object]]] = {table.name: [] for table in PARTS}
    for history in made_up:
        row: dict[str, object] = {}
        for state in history:
            row = _row(state, row)
            states.append(_state_row(state, row))
        present.append(row)
        last = history[-1].document
        if last is None:
            deleted.append(row["event_id"])
            continue
        for name, some in part_rows(last, row).items():
            if some:
                parts[name] += some
    with connection.transaction():
        # the rows are right by construction: no trigger looks up what they refer to
        connection.execute("SET LOCAL session_replication_role = 'replica'")
        _insert(connection, _GIVEN_EVENTS, present, _events_from(_GIVEN_EVENTS))
        if histories:
            _insert(connection, _GIVEN_STATES, states, _states_from(_GIVEN_STATES))
            connection.execute(_ddl(_facets_from(_GIVEN_STATES)))
        connection.execute("DELETE FROM event WHERE event_id = ANY(%s)", [deleted])
        for table in PARTS:
            _copy(connection, table, parts[table.name])


def _row(state: State, before: dict[str, object]) -> dict[str, object]:
    """Give a state's row; a tombstone has that of the state before it, whose texts are those of all."""
    return before if state.document is None else event_row(state.document, state.document.model_dump_json())


def _state_row(state: State, row: dict[str, object]) -> dict[str, object]:
    known = {
        "version": state.version,
        "known_from": At(state.span.start),
        "known_to": At(state.span.end),
        "reported_at": At(state.span.start),
        "recorded_at": At(state.span.start),
        "supersedes": False,
        "author": "bench",
        "reason": state.reason,
    }
    if state.document is not None:
        return row | known | {"facets": facets(state.document)}
    blank = dict.fromkeys(_GIVEN_STATES.columns.keys())
    key = {name: row[name] for name in ("timeline_id", "event_id")}
    return blank | key | known | {"facets": [], "every_piece": False, "disputed": False, "shape": FIRST_SHAPE}


def _insert(connection: Connection[Any], given: Table, rows: Sequence[dict[str, Any]], statement: Insert) -> None:
    connection.execute(_ddl(CreateTable(given)))
    _copy(connection, given, rows)
    connection.execute(_ddl(statement))


def _events_from(given: Table) -> Insert:
    plain = {name: column for name, column in given.c.items() if name in event.c}
    values = plain | derived_values(lambda name, _: given.c[name])
    return insert(event).from_select(list(values), select(*values.values()))


def _states_from(given: Table) -> Insert:
    """Take what is searched from the event: no state has other texts."""
    plain = {name: column for name, column in given.c.items() if name in event_state.c}
    derived = derived_values(lambda name, _: given.c.get(name, null()))
    values = plain | {
        "pieces": derived["pieces"],
        "search": case((given.c.document.is_not(None), event.c.search)),
        "known": _known(given),
    }
    joined = given.join(event, (event.c.timeline_id == given.c.timeline_id) & (event.c.event_id == given.c.event_id))
    return insert(event_state).from_select(list(values), select(*values.values()).select_from(joined))


def _facets_from(given: Table) -> Insert:
    pieces = derived_values(lambda name, _: given.c.get(name, null()))["pieces"]
    derived = {"facet": func.unnest(given.c.facets), "known": _known(given), "gapped": pieces.is_not(None)}
    names = [one.name for one in state_facet.columns if one.computed is None and one.name not in derived]
    rows = select(*derived.values(), *(given.c[name] for name in names))
    return insert(state_facet).from_select([*derived, *names], rows)


def _known(given: Table) -> ColumnElement[Any]:
    """Give a range that is free above where it has no end, as the service writes it."""
    infinity: ColumnElement[Any] = literal_column("'infinity'::timestamptz")
    return func.tstzrange(given.c.known_from, func.nullif(given.c.known_to, infinity))


def _ddl(element: ClauseElement) -> str:
    return str(element.compile(dialect=_dialect()))


def _copy(connection: Connection[Any], table: Table, rows: Sequence[dict[str, Any]]) -> None:
    names = [column.name for column in table.columns if rows and column.name in rows[0]]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    types = [table.c[name].type.compile(dialect=_dialect()) for name in names]
    # JSON comes as the text that it is; psycopg would write a string of it
    kinds = [kind.removesuffix(' COLLATE "C"').lower().replace("json", "text") for kind in types]
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(kinds)
        for row in rows:
            copy.write_row([row[name] for name in names])


@cache
def _dialect() -> Any:  # noqa: ANN401  # SQLAlchemy's dialects have no type in common that it publishes
    return dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it bare
