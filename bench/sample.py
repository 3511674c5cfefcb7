"""What is asked for in the comparison: the same events and pages of every contestant, as paths and as statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from bench.building import build_event, build_page
from bench.events import TIMELINE
from bench.literals import literal
from service.dates import format_instant, parse_window
from service.store.adapters import register
from service.store.cursor import write_cursor
from service.store.events import READ_EVENT
from service.store.paging import PageShape, keyset_values, page_statement
from service.store.query import EventQuery, Keyset, owner, timeline_id_of
from service.store.selection import Shape, values_of
from service.wire.shape import document_shape

SAMPLES = 20  # each is planned once by each connection of pgbench, which must not weigh
PAGE_EVENTS = 50
_EVERYTHING = EventQuery(TIMELINE)
_BASE = f"/v1/timelines/{TIMELINE}/events"


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of answer: paths to this service and to the yardstick, and statements for the database alone.

    Those are the service's own, which read stored documents, and such as build the same of the normalised tables.
    """

    name: str
    paths: list[str] = field(default_factory=list)
    yardstick_paths: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    building: list[str] = field(default_factory=list)


def write_scripts(folder: Path, name: str, statements: Sequence[str]) -> list[Path]:
    """Write statements as scripts of pgbench."""
    files = []
    for number, statement in enumerate(statements):
        file = folder / f"{name.replace(' ', '-')}-{number}.sql"
        file.write_text(re.sub(r"\s+", " ", statement) + ";\n", encoding="utf-8")
        files.append(file)
    return files


def make_tasks(url: str) -> list[Task]:
    """Draw events and pages of the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        register(connection)
        key: bytes = _rows(connection, "SELECT key FROM signing_key WHERE purpose = 'cursor'")[0][0]
        drawn = _rows(
            connection,
            "SELECT event_id, start_earliest FROM event WHERE timeline_id = %s"
            " AND start_earliest BETWEEN '1990-01-01' AND '2020-01-01' ORDER BY md5(event_id::text) LIMIT %s",
            timeline_id_of(TIMELINE),
            SAMPLES,
        )
    one, page, month = Task("one event"), Task("page of 50, anywhere"), Task("page of 50, a month")
    for number, (event_id, start) in enumerate(drawn):
        one.paths.append(f"{_BASE}/{event_id}")
        one.yardstick_paths.append(f"{_BASE}/{event_id}")
        one.statements.append(
            literal(
                READ_EVENT,
                {
                    "timeline_id": timeline_id_of(TIMELINE),
                    "event_id": event_id,
                    "known_versions": [],
                    "document_shape": document_shape(),
                    **owner("bench").sight,
                },
            )
        )
        one.building.append(build_event(timeline_id_of(TIMELINE), event_id))
        after = Keyset(start, event_id, timeline_id_of(TIMELINE))
        page.paths.append(f"{_BASE}?cursor={write_cursor(key, _EVERYTHING, after)}")
        page.yardstick_paths.append(f"{_BASE}?after={format_instant(start)}&event={event_id}")
        page.statements.append(_page(_EVERYTHING, after))
        page.building.append(build_page(timeline_id_of(TIMELINE), after, PAGE_EVENTS))
        window = f"{1990 + number // 12}-{number % 12 + 1:02}"
        month.paths.append(f"{_BASE}?datetime={window}")
        month.statements.append(_page(replace(_EVERYTHING, window=parse_window(window)), None))
    return [one, page, month]


def _rows(connection: psycopg.Connection[TupleRow], statement: Any, *values: object) -> list[TupleRow]:  # noqa: ANN401  # psycopg wants a literal
    return connection.cursor(binary=True).execute(statement, values).fetchall()


def _page(query: EventQuery, after: Keyset | None) -> str:
    shape = Shape.of(query)
    values = values_of(query, owner("bench")) | keyset_values(query, after) | {"limit": PAGE_EVENTS + 1}
    return literal(page_statement(PageShape(shape, after is not None, None)), values)
