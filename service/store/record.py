"""The one function that writes an event: its row, what belongs to it, and its document, together or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from uuid_utils.compat import uuid7

from service.dates import parse, parse_instant
from service.errors import NotFound
from service.store.adapters import At
from service.store.query import timeline_id_of
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled
from service.tables import (
    actor,
    claim,
    event,
    event_link,
    event_participant,
    event_topic,
    place,
    source,
    timeline,
)
from service.wire.document import Draft, Surroundings, compose
from service.wire.event import Event

# A text vector holds at most 1 MiB; what stands beyond so many characters of one part is not searched.
_SEARCHED_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it stands in the store: its document (UTF-8 JSON) and version."""

    document: bytes
    version: int


def new_id() -> UUID:
    """Make an identity: a UUID of version 7 (RFC 9562), so that new rows lie together in the index."""
    return uuid7()


async def record_event(connection: Connection, draft: Draft, previous: Event | None) -> Stored:
    """Write an event inside the caller's transaction, and give what was stored.

    `previous` is the locked present state, None for a new event. Raises NotFound without the timeline,
    Invalid for what the directory lacks, AlreadyExists where a new event's identity is taken.
    """
    document = compose(draft, previous, await _look_around(connection, draft))
    text = document.model_dump_json()
    row = _row(document, text)
    if previous is None:
        await _INSERT.run(connection, row)
    else:
        changed = await _UPDATE.run(connection, row | {"expected_version": previous.version})
        if changed.rowcount != 1:
            raise NotFound("the event has gone meanwhile")
    for table, rows in _part_rows(document, row).items():
        if previous is not None:
            await _DELETE_PARTS[table].run(connection, row)
        await _INSERT_PARTS[table].run_many(connection, rows)
    return Stored(text.encode(), document.version)


async def _look_around(connection: Connection, draft: Draft) -> Surroundings:
    body = draft.body
    cursor = await _SURROUNDINGS.run(
        connection,
        {
            "timeline_id": timeline_id_of(draft.timeline),
            "actors": [one.actor for one in body.participants],
            "places": [] if body.place is None else [body.place.place],
            "sources": [one.source for one in body.claims],
        },
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"no timeline {draft.timeline!r}")
    now, *names = row
    actors, places, sources = (json.loads(one) if one else {} for one in names)
    return Surroundings(now, actors, places, sources, new_id)


def _row(document: Event, text: str) -> dict[str, object]:
    """Give the event's row by column, and the texts that its search vector is made of."""
    expression = parse(document.when)
    pieces = expression.pieces
    credited = [one.name for one in document.participants]
    said = [part for one in document.claims for part in (one.quote, one.attributed_to, one.title) if part]
    where = document.place
    return {
        "timeline_id": timeline_id_of(document.timeline),
        "event_id": document.id,
        "title": document.title,
        "summary": document.summary,
        "edtf": document.when,
        **{name: At(instant) for name, instant in expression.bounds._asdict().items()},
        "piece_starts": None if pieces is None else [At(start) for start, _ in pieces],
        "piece_ends": None if pieces is None else [At(end) for _, end in pieces],
        "every_piece": pieces is not None and expression.every,
        "status": document.status,
        "status_reason": document.status_reason,
        "kind": document.kind,
        "place": None if where is None else where.place,
        "place_name": None if where is None else where.name,
        "previously": "[" + ",".join(one.model_dump_json() for one in document.previously) + "]",
        "version": document.version,
        "reported_at": At(parse_instant(document.reported_at)),
        "recorded_at": At(parse_instant(document.recorded_at)),
        "created_at": At(parse_instant(document.created_at)),
        "searched_names": _searched([*credited, *([] if where is None else [where.name])]),
        "searched_summary": _searched([document.summary or ""]),
        "searched_claims": _searched(said),
        "document": text,
    }


def _searched(texts: Iterable[str]) -> str:
    return "\n".join(texts)[:_SEARCHED_CHARACTERS]


def _part_rows(document: Event, row: dict[str, object]) -> dict[str, list[dict[str, object]]]:
    """Give the rows of what belongs to the event, by table.

    Each that a filter may start from repeats the bounds that the filter's indexes need.
    """
    key = {name: row[name] for name in ("timeline_id", "event_id")}
    indexed = key | {name: row[name] for name in ("start_earliest", "end_latest")}
    return {
        "event_participant": [
            {**indexed, "position": i, "actor": one.actor, "name": one.name, "role": one.role}
            for i, one in enumerate(document.participants)
        ],
        "event_topic": [{**indexed, "position": i, "topic": one} for i, one in enumerate(document.topics)],
        "claim": [
            {
                **indexed,
                "claim_id": one.id,
                "position": i,
                "source": one.source,
                "title": one.title,
                "attributed_to": one.attributed_to,
                "quote": one.quote,
                "asserts_status": one.asserts.status,
                "asserts_edtf": one.asserts.when,
                "reported_at": At(parse_instant(one.reported_at)),
            }
            for i, one in enumerate(document.claims)
        ],
        "event_link": [{**key, "rel": one.rel, "other_id": one.event} for one in document.links],
    }


def _values(table: Table) -> dict[str, ColumnElement[Any]]:
    """Make a parameter of each column's own name and type; what the database computes has none."""
    return {
        column.name: bindparam(column.name, type_=column.type) for column in table.columns if column.computed is None
    }


def _pieces() -> ColumnElement[Any]:
    instants = ARRAY(DateTime(timezone=True))
    piece = (
        func.unnest(bindparam("piece_starts", type_=instants), bindparam("piece_ends", type_=instants))
        .table_valued("starts", "ends", name="piece")
        .render_derived()
    )
    starts = func.nullif(piece.c.starts, literal_column("'-infinity'::timestamptz"))
    ends = func.nullif(piece.c.ends, literal_column("'infinity'::timestamptz"))
    return select(func.range_agg(func.tstzrange(starts, ends))).scalar_subquery()


def _search() -> ColumnElement[Any]:
    """Weigh what is searched: the title most, then names, the summary, and what claims say."""
    english: ColumnElement[Any] = literal_column("'english'::regconfig")
    vector: ColumnElement[Any] = literal_column("''::tsvector")
    for name, weight in (
        ("title", "A"),
        ("searched_names", "B"),
        ("searched_summary", "C"),
        ("searched_claims", "D"),
    ):
        part = func.to_tsvector(english, bindparam(name, type_=Text))
        vector = vector.op("||")(func.setweight(part, literal_column(f"'{weight}'")))
    return vector


def _names(table: Table, asked: str) -> ColumnElement[Any]:
    """Look up the names of those asked for, as one JSON object by slug."""
    called = table.c.title if "title" in table.c else table.c.name
    slugs = bindparam(asked, type_=ARRAY(Text(collation="C")))
    return select(func.json_object_agg(table.c.slug, called)).where(table.c.slug == func.any(slugs)).scalar_subquery()


_SURROUNDINGS: Statement = compiled(
    select(func.now(), _names(actor, "actors"), _names(place, "places"), _names(source, "sources")).where(
        timeline.c.timeline_id == TIMELINE_ID
    )
)
_EVENT_VALUES = _values(event) | {"pieces": _pieces(), "search": _search()}
_INSERT: Statement = compiled(insert(event).values(_EVENT_VALUES))
_UPDATE: Statement = compiled(
    update(event)
    .where(
        event.c.timeline_id == TIMELINE_ID,
        event.c.event_id == bindparam("event_id", type_=event.c.event_id.type),
        event.c.version == bindparam("expected_version", type_=Integer),
    )
    .values({name: value for name, value in _EVENT_VALUES.items() if name not in ("timeline_id", "event_id")})
)
_PARTS = (event_participant, event_topic, claim, event_link)
_INSERT_PARTS = {table.name: compiled(insert(table).values(_values(table))) for table in _PARTS}
_DELETE_PARTS = {
    table.name: compiled(
        delete(table).where(
            table.c.timeline_id == TIMELINE_ID,
            table.c.event_id == bindparam("event_id", type_=table.c.event_id.type),
        )
    )
    for table in _PARTS
}
