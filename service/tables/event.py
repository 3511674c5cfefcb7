"""Events and what belongs to them; every key begins with the timeline.

The tables that a filter may start from (participants, topics, claims) repeat the event's
`start_earliest` and `end_latest`, so that each filter has an index in the order of the answer. The one
function that writes an event writes these copies too.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, TSTZMULTIRANGE, TSTZRANGE, TSVECTOR, UUID

from service.tables.metadata import instant, metadata, slug, timeline_id

STATUSES = ("tentative", "planned", "occurred", "postponed", "cancelled")
RELS = ("causes", "prevents", "follows", "part_of", "responds_to")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """Write the condition that a column holds one of these, or nothing."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def derived_possible() -> Column[object]:
    """Make the range in which the event may lie, never at odds with the bounds: the database derives it.

    ±infinity becomes an unbounded end, which a GiST index keeps apart from the finite ones.
    """
    return Column(
        "possible",
        TSTZRANGE,
        Computed("tstzrange(NULLIF(start_earliest, '-infinity'), NULLIF(end_latest, 'infinity'))", persisted=True),
        nullable=False,
    )


def _belongs_to_event() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["timeline_id", "event_id"], ["event.timeline_id", "event.event_id"], ondelete="CASCADE"
    )


event = Table(
    "event",
    metadata,
    timeline_id(),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text),
    Column("edtf", Text, nullable=False),
    instant("start_earliest"),
    instant("start_latest"),
    instant("end_earliest"),
    instant("end_latest"),
    derived_possible(),
    Column("pieces", TSTZMULTIRANGE),
    Column("every_piece", Boolean, nullable=False),
    Column("status", Text(collation="C"), nullable=False),
    Column("status_reason", Text),
    Column("kind", Text(collation="C"), nullable=False),
    slug("place", nullable=True),
    Column("place_name", Text),
    Column("previously", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    instant("reported_at"),
    instant("recorded_at"),
    instant("created_at"),
    Column("search", TSVECTOR, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("timeline_id", "event_id"),
    ForeignKeyConstraint(["timeline_id"], ["timeline.timeline_id"]),
    ForeignKeyConstraint(["place"], ["place.slug"]),
    CheckConstraint(one_of("status", STATUSES), name="status"),
    CheckConstraint("start_earliest <= start_latest", name="start"),
    CheckConstraint("end_earliest <= end_latest", name="end"),
    CheckConstraint("start_earliest < end_latest", name="end_after_start"),
    CheckConstraint("start_earliest < end_earliest OR end_earliest = '-infinity'", name="end_earliest_after_start"),
    CheckConstraint("start_latest < end_latest OR start_latest = 'infinity'", name="start_latest_before_end"),
    CheckConstraint(
        "pieces IS NULL OR (NOT isempty(pieces)"
        " AND lower(pieces) IS NOT DISTINCT FROM NULLIF(start_earliest, '-infinity')"
        " AND upper(pieces) IS NOT DISTINCT FROM NULLIF(end_latest, 'infinity'))",
        name="pieces_span_possible",
    ),
    CheckConstraint("pieces IS NOT NULL OR NOT every_piece", name="every_piece"),
    CheckConstraint("(place IS NULL) = (place_name IS NULL)", name="place_credited"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("created_at <= recorded_at", name="recorded_after_created"),
)

event_participant = Table(
    "event_participant",
    metadata,
    timeline_id(),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("position", SmallInteger, nullable=False),
    slug("actor"),
    Column("name", Text, nullable=False),
    Column("role", Text),
    instant("start_earliest"),
    instant("end_latest"),
    derived_possible(),
    PrimaryKeyConstraint("timeline_id", "event_id", "position"),
    _belongs_to_event(),
    ForeignKeyConstraint(["actor"], ["actor.slug"]),
)

event_topic = Table(
    "event_topic",
    metadata,
    timeline_id(),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("position", SmallInteger, nullable=False),
    slug("topic"),
    instant("start_earliest"),
    instant("end_latest"),
    derived_possible(),
    PrimaryKeyConstraint("timeline_id", "event_id", "topic"),
    _belongs_to_event(),
)

claim = Table(
    "claim",
    metadata,
    timeline_id(),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("claim_id", UUID(as_uuid=True), nullable=False),
    Column("position", SmallInteger, nullable=False),
    slug("source"),
    Column("title", Text, nullable=False),
    Column("attributed_to", Text),
    Column("quote", Text),
    Column("asserts_status", Text),
    Column("asserts_edtf", Text),
    instant("reported_at"),
    instant("start_earliest"),
    instant("end_latest"),
    derived_possible(),
    PrimaryKeyConstraint("timeline_id", "event_id", "claim_id"),
    _belongs_to_event(),
    ForeignKeyConstraint(["source"], ["source.slug"]),
    CheckConstraint(one_of("asserts_status", STATUSES), name="asserts_status"),
)

event_link = Table(
    "event_link",
    metadata,
    timeline_id(),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("rel", Text(collation="C"), nullable=False),
    Column("other_id", UUID(as_uuid=True), nullable=False),
    PrimaryKeyConstraint("timeline_id", "event_id", "rel", "other_id"),
    _belongs_to_event(),
    ForeignKeyConstraint(["timeline_id", "other_id"], ["event.timeline_id", "event.event_id"]),
    CheckConstraint(one_of("rel", RELS), name="rel"),
    CheckConstraint("event_id <> other_id", name="not_to_itself"),
)

# Order and range, then each filter: a B-tree in the order of the answer, for what starts inside a window,
# and a GiST on the range, for what already runs when the window opens. Figures: migrations/versions.
Index("event_start_idx", event.c.timeline_id, event.c.start_earliest, event.c.event_id)
Index("event_recorded_idx", event.c.timeline_id, event.c.recorded_at, event.c.event_id)
Index("event_possible_idx", event.c.timeline_id, event.c.possible, postgresql_using="gist")
Index("event_search_idx", event.c.timeline_id, event.c.search, postgresql_using="gin")
for _table, _facet in (
    (event, event.c.status),
    (event, event.c.kind),
    (event, event.c.place),
    (event_participant, event_participant.c.actor),
    (event_topic, event_topic.c.topic),
    (claim, claim.c.source),
):
    _where = text("place IS NOT NULL") if _facet is event.c.place else None
    Index(
        f"{_table.name}_{_facet.name}_start_idx",
        _table.c.timeline_id,
        _facet,
        _table.c.start_earliest,
        _table.c.event_id,
        postgresql_where=_where,
    )
    Index(
        f"{_table.name}_{_facet.name}_possible_idx",
        _table.c.timeline_id,
        _facet,
        _table.c.possible,
        postgresql_using="gist",
        postgresql_where=_where,
    )
Index("event_link_other_idx", event_link.c.timeline_id, event_link.c.other_id)
