"""An event's rows: of the table of events, and of what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, DateTime, Text, bindparam, func, literal_column, select

from service.dates import parse, parse_instant
from service.store.adapters import At, Spans
from service.store.query import timeline_id_of
from service.tables import UNDECIDED
from service.wire.event import Event
from service.wire.history import conflicts
from service.wire.shape import document_shape

# A text vector holds at most 1 MiB, and words such as "𠀀-𠀁" take up to 8.75 bytes of it a character; with a title
# and a summary of the greatest length, names and claims have room for so many each. What is beyond is not searched.
_SEARCHED_CHARACTERS = 45_000

INSTANTS = ARRAY(DateTime(timezone=True))

# Names a value that the database gets: a parameter of a statement, or a column of a table that was copied in.
Given = Callable[[str, Any], ColumnElement[Any]]


def event_row(document: Event, text: str) -> dict[str, object]:
    """Give the row of an event of this one state by column, and the texts that its search vector is made of."""
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
        "pieces": None if pieces is None else Spans(tuple(pieces)),
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
        "shape": document_shape(),
        "disputed": bool(conflicts(document)),
        "was_planned": document.status in UNDECIDED,
    }


def _searched(texts: Iterable[str]) -> str:
    return "\n".join(texts)[:_SEARCHED_CHARACTERS]


def part_rows(document: Event, row: dict[str, object]) -> dict[str, list[dict[str, object]]]:
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


def facets(document: Event) -> list[str]:
    """Name all that a filter may find a state by, each with the filter's name before it."""
    found = [f"status:{document.status}", f"kind:{document.kind}"]
    if document.place is not None:
        found.append(f"place:{document.place.place}")
    found += [f"actor:{one.actor}" for one in document.participants]
    found += [f"topic:{one}" for one in document.topics]
    found += [f"source:{one.source}" for one in document.claims]
    return sorted(set(found))


def derived_values(given: Given) -> dict[str, ColumnElement[Any]]:
    """Say how the database makes the columns of rows that were copied in, by the column's name.

    `given` stands for a value of `event_row`, by name and type.
    """
    return {"pieces": _pieces(given), "search": _search(given)}


def derived_parameters() -> dict[str, ColumnElement[Any]]:
    """Say how the database makes the columns that no value of `event_row` holds, by the column's name.

    Without a query of its own, which an INSERT must not have where the tables are on several servers.
    """
    return {"search": _search(lambda name, kind: bindparam(name, type_=kind))}


def _pieces(given: Given) -> ColumnElement[Any]:
    piece = (
        func.unnest(given("piece_starts", INSTANTS), given("piece_ends", INSTANTS))
        .table_valued("starts", "ends", name="piece")
        .render_derived()
    )
    starts = func.nullif(piece.c.starts, literal_column("'-infinity'::timestamptz"))
    ends = func.nullif(piece.c.ends, literal_column("'infinity'::timestamptz"))
    return select(func.range_agg(func.tstzrange(starts, ends))).scalar_subquery()


def _search(given: Given) -> ColumnElement[Any]:
    """Weigh what is searched: the title most, then names, the summary, and what claims say."""
    english: ColumnElement[Any] = literal_column("'english'::regconfig")
    vector: ColumnElement[Any] = literal_column("''::tsvector")
    for name, weight in (
        ("title", "A"),
        ("searched_names", "B"),
        ("searched_summary", "C"),
        ("searched_claims", "D"),
    ):
        part = func.to_tsvector(english, given(name, Text()))
        vector = vector.op("||")(func.setweight(part, literal_column(f"'{weight}'")))
    return vector
