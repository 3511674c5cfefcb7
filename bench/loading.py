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
from sqlalchemy import ARRAY, Column, DateTime, MetaData, Table, Text, insert, select
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from bench.events import ACTORS, CHUNK_EVENTS, PLACES, SMALL_TIMELINE, SOURCES, TIMELINE, made_up_events
from service.recounting import rebuild_histograms
from service.store.adapters import At, register
from service.store.query import timeline_id_of
from service.store.rows import derived_values, event_row, part_rows
from service.tables import actor, claim, event, event_participant, event_topic, place, source, timeline

PARTS = (event_participant, event_topic, claim)
_INDEXED = (event, *PARTS)

# What the database gets of an event's row: its own columns, and the values that others are derived from.
_GIVEN: dict[str, Any] = {
    column.name: column.type
    for column in event.columns
    if column.computed is None and column.name not in ("pieces", "search")
} | {
    "piece_starts": ARRAY(DateTime(timezone=True)),
    "piece_ends": ARRAY(DateTime(timezone=True)),
    "searched_names": Text(),
    "searched_summary": Text(),
    "searched_claims": Text(),
}


def load(url: str, events: int, *, processes: int = 2) -> float:
    """Load so many events into a migrated, empty database, a fiftieth of them into the small timeline.

    `url` is a superuser's. Answers the seconds that it took, until the last VACUUM.
    """
    began = time.perf_counter()
    small = events // 50
    chunks = [*_chunks(TIMELINE, events - small), *_chunks(SMALL_TIMELINE, small)]
    with psycopg.connect(url, autocommit=True) as connection:
        register(connection)
        _load_directory(connection)
        with _without_indexes(connection):
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


def _chunks(slug: str, events: int) -> Iterator[tuple[str, int, int]]:
    for number, first in enumerate(range(0, events, CHUNK_EVENTS)):
        yield slug, number, min(CHUNK_EVENTS, events - first)


def _load_directory(connection: Connection[Any]) -> None:
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
def _without_indexes(connection: Connection[Any]) -> Iterator[None]:
    """Drop the indexes for the block, and lay them anew after it."""
    indexes = [index for table in _INDEXED for index in table.indexes]
    for index in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(index.name))))
    yield
    connection.execute("SET maintenance_work_mem = '1GB'")
    for index in indexes:
        connection.execute(str(CreateIndex(index).compile(dialect=_dialect())))


def _load_apart(url: str, chunk: tuple[str, int, int]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        register(connection)
        _load_chunk(connection, *chunk)


def _load_chunk(connection: Connection[Any], slug: str, number: int, events: int) -> None:
    rows: list[dict[str, object]] = []
    parts: dict[str, list[dict[str, object]]] = {table.name: [] for table in PARTS}
    for made_up in made_up_events(slug, number, events):
        row = event_row(made_up, made_up.model_dump_json())
        rows.append(row)
        for name, some in part_rows(made_up, row).items():
            if some:
                parts[name] += some
    with connection.transaction():
        # the rows are right by construction: no trigger looks up what they refer to
        connection.execute("SET LOCAL session_replication_role = 'replica'")
        given = _given()
        connection.execute(str(CreateTable(given).compile(dialect=_dialect())))
        _copy(connection, given, rows)
        connection.execute(_derive(given))
        for table in PARTS:
            _copy(connection, table, parts[table.name])


@cache
def _given() -> Table:
    columns = [Column(name, kind) for name, kind in _GIVEN.items()]
    return Table("given", MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


def _derive(given: Table) -> str:
    plain = {name: given.c[name] for name in _GIVEN if name in event.c}
    values = plain | derived_values(lambda name, _: given.c[name])
    return str(insert(event).from_select(list(values), select(*values.values())).compile(dialect=_dialect()))


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
