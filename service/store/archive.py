"""What an archive says of a timeline, read in bounded memory from one state of the store.

The database writes each state's line itself: it has the document's bytes, and Python need not look at any.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from sqlalchemy import ColumnElement, Subquery, Text, cast, exists, func, literal_column, or_, select

from service.store.directory import ACTORS, PLACES, SOURCES, TIMELINES, Kind, get_entry
from service.store.query import Caller, timeline_id_of
from service.store.recorded import has_stateless, instant_text, recorded, recorded_states
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled
from service.store.stream import SOONEST, fetched, held_cursor
from service.tables import claim, event, event_participant, state_facet
from service.wire.archive import ENTRIES, ArchivedEntry
from service.wire.values import Answer

_AT_A_TIME = 500
_KINDS: Mapping[str, Kind[Any]] = {"actor": ACTORS, "place": PLACES, "source": SOURCES}
_NAMED_BY = {"actor": event_participant.c.actor, "place": event.c.place, "source": claim.c.source}


async def get_timeline(connection: Connection, slug: str, caller: Caller) -> ArchivedEntry:
    """Read a timeline. Raises NotFound."""
    return _entry("timeline", *await get_entry(connection, TIMELINES, slug, caller))


async def stream_directory(connection: Connection, slug: str) -> AsyncGenerator[ArchivedEntry]:
    """Iterate over what of the directory a timeline's events name, or named, and is there: by kind, and by slug."""
    for kind, statement in _USED.items():
        async with held_cursor(connection, "directory") as cursor:
            await cursor.execute(statement.sql, {**statement.fixed, "timeline_id": timeline_id_of(slug)})
            while rows := await cursor.fetchmany(_AT_A_TIME):
                for row in rows:
                    yield _entry(kind, *_KINDS[kind].read(row))


async def stream_states(connection: Connection, slug: str) -> AsyncGenerator[list[bytes]]:
    """Iterate over batches of lines: a timeline's states, event by event, in the order in which they were recorded."""
    key = {"timeline_id": timeline_id_of(slug)}
    ((some_are_stateless,),) = await (await _HAS_STATELESS.run(connection, key)).fetchall()
    lines = _LINES if some_are_stateless else STATE_LINES
    async with held_cursor(connection, "states") as cursor:
        await connection.execute(SOONEST)
        await cursor.execute(lines.sql, {**lines.fixed, **key})
        async with aclosing(fetched(cursor, _AT_A_TIME)) as batches:
            async for rows in batches:
                yield [row[0] for row in rows]


def _entry(kind: str, answer: Answer, version: int) -> ArchivedEntry:
    return ENTRIES[kind].model_construct(**answer.model_dump() | {"version": version})


def _used(kind: str) -> Statement:
    """Select the entries of a kind that a timeline's states are found by, or its events name."""
    table = _KINDS[kind].table
    named = _NAMED_BY[kind]
    facet = literal_column(f"'{kind}:'").op("||")(table.c.slug)
    one: ColumnElement[Any] = literal_column("1")
    return compiled(
        _KINDS[kind]
        .chosen(table)
        .where(
            or_(
                exists(select(one).where(state_facet.c.timeline_id == TIMELINE_ID, state_facet.c.facet == facet)),
                exists(select(one).where(named.table.c.timeline_id == TIMELINE_ID, named == table.c.slug)),
            )
        )
        .order_by(table.c.slug)
    )


_USED: Mapping[str, Statement] = {kind: _used(kind) for kind in _KINDS}


def _lines(states: Subquery) -> Statement:
    """Select the line of each state, as `service.wire.archive.ArchivedState` has it, the document behind."""
    members: dict[str, list[ColumnElement[Any]]] = {
        "event": _quoted(cast(states.c.event_id, Text)),
        "version": [states.c.version],
        "reported_at": _quoted(instant_text(states.c.reported_at)),
        "recorded_at": _quoted(instant_text(states.c.recorded_at)),
        "supersedes": [cast(states.c.supersedes, Text)],
        "author": _json(states.c.author),
        "reason": _json(states.c.reason),
        "shape": [states.c.shape],
    }
    parts: list[ColumnElement[Any]] = []
    for name, value in members.items():
        parts += [_words(f'{"," if parts else """{"state":{"""}"{name}":'), *value]
    parts += [_words('},"document":'), func.coalesce(cast(states.c.document, Text), _words("null")), _words("}")]
    line = func.convert_to(func.concat(*parts), _words("UTF8"))
    return compiled(select(line).order_by(states.c.event_id, states.c.version))


def _words(text: str) -> ColumnElement[Any]:
    return literal_column(f"'{text}'", Text)


def _quoted(text: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [_words('"'), text, _words('"')]


def _json(text: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [func.coalesce(cast(func.to_json(text), Text), _words("null"))]


# Of a timeline whose events have all their states, as nearly all have: in an index's order, so that nothing is sorted.
STATE_LINES: Statement = _lines(recorded_states().subquery("recorded"))
_LINES: Statement = _lines(recorded().subquery("recorded"))
_HAS_STATELESS: Statement = compiled(has_stateless())
