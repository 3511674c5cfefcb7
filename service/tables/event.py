"""Events and what belongs to them; every key begins with the timeline.

The tables that a filter may start from (participants, topics, claims) repeat the event's
`start_earliest` and `end_latest`, so that each filter has an index in the order of the answer. The one
function that writes an event writes these copies too.

Events are indexed by reach: how long before a window one of them may begin and still run into it.
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
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, TSTZMULTIRANGE, TSTZRANGE, TSVECTOR, UUID

from service.tables.metadata import instant, metadata, slug, timeline_id

STATUSES = ("tentative", "planned", "occurred", "postponed", "cancelled")
# Those of an event of which nobody has said yet whether it took place.
UNDECIDED = ("planned", "tentative")
RELS = ("causes", "prevents", "follows", "part_of", "responds_to")

# The most days that an event of each reach may last: a day, a month, a year, a decade, a century, with some slack.
REACH_DAYS = (1, 32, 366, 4018, 36_890)
# Beyond these, what lasts longer or has no beginning, and what has no end.
_REACH_LONGER, _REACH_ENDLESS = len(REACH_DAYS), len(REACH_DAYS) + 1
REACHES = range(_REACH_ENDLESS + 1)


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


def derived_reach() -> Column[object]:
    """Make the class of an event's length; the database derives it.

    Its first terms keep the subtraction in range: neither ±infinity nor more than 292,271 years will do. Spelt as
    PostgreSQL spells it back, or a comparison of schemas would find it changed.
    """
    classes = "".join(
        f" WHEN end_latest - start_earliest <= '{days} day{'s' if days > 1 else ''}'::interval THEN {reach}"
        for reach, days in enumerate(REACH_DAYS)
    )
    return Column(
        "reach",
        SmallInteger,
        Computed(
            f"CASE WHEN end_latest = 'infinity' THEN {_REACH_ENDLESS}"
            f" WHEN start_earliest = '-infinity' THEN {_REACH_LONGER}"
            " WHEN start_earliest < to_timestamp('100000000000'::double precision)"
            " AND end_latest > to_timestamp('200000000000'::double precision)"
            f" THEN {_REACH_LONGER}{classes} ELSE {_REACH_LONGER} END",
            persisted=True,
        ),
        nullable=False,
    )


def shape() -> Column[object]:
    """Make the number of the shape that a document has; a release that knows of none writes the first."""
    return Column("shape", SmallInteger, nullable=False, server_default=text("1"))


def disputed() -> Column[object]:
    """Make the mark of an event that one of its own claims contradicts."""
    return Column("disputed", Boolean, nullable=False, server_default=false())


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
    derived_reach(),
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
    shape(),
    disputed(),
    # whether any state that counts is, or was, planned or tentative
    Column("was_planned", Boolean, nullable=False, server_default=false()),
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
    derived_reach(),
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
    derived_reach(),
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
    derived_reach(),
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

# The order within each reach, of all events and then of those with each filter's value. Whether an event still
# runs at an instant, or may begin then, stands in the index too, so that only what belongs to the answer is
# fetched. Figures: migrations/versions.
ORDER = ("reach", "start_earliest", "event_id", "end_latest")
Index("event_start_idx", *(event.c[name] for name in ("timeline_id", *ORDER, "start_latest")))
Index(
    "event_disputed_idx",
    *(event.c[name] for name in ("timeline_id", *ORDER)),
    postgresql_where=text("disputed"),
)
Index(
    "event_plan_idx",
    *(event.c[name] for name in ("timeline_id", "status", "start_earliest", "event_id")),
    postgresql_include=["end_latest"],
    postgresql_where=text("was_planned"),
)
Index("event_recorded_idx", event.c.timeline_id, event.c.recorded_at, event.c.event_id)
# for the few of an older shape: one value nearly everywhere, which takes little room
Index("event_shape_idx", event.c.timeline_id, event.c.shape)
Index("event_search_idx", event.c.timeline_id, event.c.search, postgresql_using="gin")
for _facet in (
    event.c.status,
    event.c.kind,
    event.c.place,
    event_participant.c.actor,
    event_topic.c.topic,
    claim.c.source,
):
    _table = _facet.table
    Index(
        f"{_table.name}_{_facet.name}_start_idx",
        *(_table.c[name] for name in ("timeline_id", _facet.name, *ORDER, "start_latest") if name in _table.c),
        postgresql_where=text("place IS NOT NULL") if _facet is event.c.place else None,
    )
Index("event_link_other_idx", event_link.c.timeline_id, event_link.c.other_id)
