"""Lay the foundation: timelines, events and what belongs to them, the directory.

The indexes were chosen by measurement: `python -m bench.indexes` repeats it. A million made-up events in two
timelines, 30,000 of which run at a given day; PostgreSQL 18 with its usual settings, 2 cores that other work kept
busy, hence the least of nine runs; milliseconds, then buffers. What runs at a day, the first 51 by start, asked of
each kind of index alone on a table of the events' keys:

| index                                            | in 2013       | in 800      | rare status   |  MB | built, s |
|--------------------------------------------------|---------------|-------------|---------------|-----|----------|
| GiST (timeline, range)                           | 52.6, 13,934  | 1.77, 2,652 | 37.3, 13,934  | 100 |     14.3 |
| GiST (timeline, status, range)                   | 48.3, 14,294  | 2.47, 2,673 | 2.70, 2,568   | 123 |     15.8 |
| SP-GiST (range)                                  | 35.7, 13,513  | 3.50, 2,758 | 34.9, 13,513  |  60 |      9.6 |
| B-tree (timeline, reach, start, id, end)         | 0.11, 42      | 0.05, 26    | 0.37, 1,196   |  77 |      1.5 |
| B-tree (timeline, status, reach, start, id, end) | 8.79, 731     | 0.73, 367   | 0.08, 36      |  86 |      5.7 |

A range index fetches all that runs before it can sort; a reach bounds how far back to look, and the B-tree gives
the rest in order. So no index on ranges is left: seven took 1,180 MB, and a generic plan 120 to 200 ms for a page
of a day, a month or ten years. Inserting a row of keys took 80 to 114 µs with a B-tree, 132 to 168 with a GiST.

Pages of 50 through the service's own statements, prepared, documents included:

| asked for                                                                 | ms          |
|---------------------------------------------------------------------------|-------------|
| everything, ten years, a month, a day, both orders, deep cursors           | 0.4 to 1.0  |
| any relation and certainty to a month (with start_latest in the index;     | 0.5 to 2.1  |
| without it `after`, possible, took 96); possible `after`                   | 3.9         |
| one filter, rare or common, with a month or a deep cursor                  | 0.2 to 2.6  |
| five values of a filter, a month                                           | 1.1 to 5.0  |
| two filters (the narrowest is found first, then walked)                    | 3.3 to 24   |
| a rare word, with a month or a common actor; a common one                  | 4.0 to 7.1; 8.8 to 21 |
| newest record; with a day, a filter, or a year long past                   | 0.7; 1.1 to 9.2 |
| overdue, with a month or an actor                                          | 1.2 to 2.2  |
| across timelines; a rare word there                                        | 0.7 to 2.2; 10 |
| by relevance: a rare word; one in 383,000 events, all of which are ranked  | 0.8; 920    |
| count, estimated (exact up to 1,000): windows; filters; a filter, a month  | 1 to 17; 1 to 15; 1 to 63 |
| count, exact: everything; a month; ten years (206,759, each looked at)     | 73; 205; 2,886 |

Megabytes after the load: event 2,037; its indexes by kind 100, status 95, start 86, text 86, place 81, record 59,
key 53; participants 263, by actor 183, key 122; topics 212, by topic 184, key 147; claims 182, by source 90, key 70.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_foundation"
down_revision = None
branch_labels = None
depends_on = None

# The class of an event's length: at most a day, a month, a year, a decade, a century; longer, or without a
# beginning; without end.
_REACH = (
    "CASE"
    " WHEN end_latest = 'infinity' THEN 6"
    " WHEN start_earliest = '-infinity' THEN 5"
    " WHEN start_earliest < to_timestamp('100000000000'::double precision)"
    " AND end_latest > to_timestamp('200000000000'::double precision) THEN 5"
    " WHEN end_latest - start_earliest <= '1 day'::interval THEN 0"
    " WHEN end_latest - start_earliest <= '32 days'::interval THEN 1"
    " WHEN end_latest - start_earliest <= '366 days'::interval THEN 2"
    " WHEN end_latest - start_earliest <= '4018 days'::interval THEN 3"
    " WHEN end_latest - start_earliest <= '36890 days'::interval THEN 4"
    " ELSE 5 END"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    _create_tables()
    _create_foreign_keys()
    _create_indexes()
    # 244 random bits from the database's strong source; whoever holds this key can forge a cursor, no more.
    op.execute(
        "INSERT INTO signing_key (purpose, key) VALUES ('cursor',"
        " decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))"
    )


def _create_tables() -> None:
    op.create_table(
        "actor",
        sa.Column("slug", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("same_as", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('person', 'organization', 'state', 'group')", name=op.f("actor_kind_check")),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 80", name=op.f("actor_slug_check")),
        sa.PrimaryKeyConstraint("slug", name=op.f("actor_pkey")),
    )
    op.create_table(
        "place",
        sa.Column("slug", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("same_as", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("place_country_check")),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 80", name=op.f("place_slug_check")),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name=op.f("place_coordinates_check")),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name=op.f("place_latitude_check")),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name=op.f("place_longitude_check")),
        sa.PrimaryKeyConstraint("slug", name=op.f("place_pkey")),
    )
    op.create_table(
        "signing_key",
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(key) >= 32", name=op.f("signing_key_length_check")),
        sa.PrimaryKeyConstraint("purpose", name=op.f("signing_key_pkey")),
    )
    op.create_table(
        "source",
        sa.Column("slug", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("publisher", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("published", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 80", name=op.f("source_slug_check")),
        sa.PrimaryKeyConstraint("slug", name=op.f("source_pkey")),
    )
    op.create_table(
        "timeline",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("slug", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 80", name=op.f("timeline_slug_check")
        ),
        sa.CheckConstraint("visibility IN ('public', 'private')", name=op.f("timeline_visibility_check")),
        sa.PrimaryKeyConstraint("timeline_id", name=op.f("timeline_pkey")),
        sa.UniqueConstraint("slug", name=op.f("timeline_slug_key")),
    )
    op.create_table(
        "actor_alias",
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("actor", "position", name=op.f("actor_alias_pkey")),
        sa.UniqueConstraint("actor", "alias", name=op.f("actor_alias_actor_alias_key")),
    )
    op.create_table(
        "event",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("edtf", sa.Text(), nullable=False),
        sa.Column("start_earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start_latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "possible",
            postgresql.TSTZRANGE(),
            sa.Computed(
                "tstzrange(NULLIF(start_earliest, '-infinity'), NULLIF(end_latest, 'infinity'))", persisted=True
            ),
            nullable=False,
        ),
        sa.Column(
            "reach",
            sa.SmallInteger(),
            sa.Computed(
                _REACH,
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column("pieces", postgresql.TSTZMULTIRANGE(), nullable=True),
        sa.Column("every_piece", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("place", sa.Text(collation="C"), nullable=True),
        sa.Column("place_name", sa.Text(), nullable=True),
        sa.Column("previously", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "pieces IS NULL OR (NOT isempty(pieces)"
            " AND lower(pieces) IS NOT DISTINCT FROM NULLIF(start_earliest, '-infinity')"
            " AND upper(pieces) IS NOT DISTINCT FROM NULLIF(end_latest, 'infinity'))",
            name=op.f("event_pieces_span_possible_check"),
        ),
        sa.CheckConstraint(
            "start_earliest < end_earliest OR end_earliest = '-infinity'",
            name=op.f("event_end_earliest_after_start_check"),
        ),
        sa.CheckConstraint(
            "start_latest < end_latest OR start_latest = 'infinity'", name=op.f("event_start_latest_before_end_check")
        ),
        sa.CheckConstraint(
            "status IN ('tentative', 'planned', 'occurred', 'postponed', 'cancelled')", name=op.f("event_status_check")
        ),
        sa.CheckConstraint("(place IS NULL) = (place_name IS NULL)", name=op.f("event_place_credited_check")),
        sa.CheckConstraint("created_at <= recorded_at", name=op.f("event_recorded_after_created_check")),
        sa.CheckConstraint("end_earliest <= end_latest", name=op.f("event_end_check")),
        sa.CheckConstraint("pieces IS NOT NULL OR NOT every_piece", name=op.f("event_every_piece_check")),
        sa.CheckConstraint("start_earliest < end_latest", name=op.f("event_end_after_start_check")),
        sa.CheckConstraint("start_earliest <= start_latest", name=op.f("event_start_check")),
        sa.CheckConstraint("version >= 1", name=op.f("event_version_check")),
        sa.PrimaryKeyConstraint("timeline_id", "event_id", name=op.f("event_pkey")),
    )
    op.create_table(
        "claim",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("claim_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("attributed_to", sa.Text(), nullable=True),
        sa.Column("quote", sa.Text(), nullable=True),
        sa.Column("asserts_status", sa.Text(), nullable=True),
        sa.Column("asserts_edtf", sa.Text(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start_earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "reach",
            sa.SmallInteger(),
            sa.Computed(
                _REACH,
                persisted=True,
            ),
            nullable=False,
        ),
        sa.CheckConstraint(
            "asserts_status IN ('tentative', 'planned', 'occurred', 'postponed', 'cancelled')",
            name=op.f("claim_asserts_status_check"),
        ),
        sa.PrimaryKeyConstraint("timeline_id", "event_id", "claim_id", name=op.f("claim_pkey")),
    )
    op.create_table(
        "event_link",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("rel", sa.Text(collation="C"), nullable=False),
        sa.Column("other_id", sa.UUID(), nullable=False),
        sa.CheckConstraint(
            "rel IN ('causes', 'prevents', 'follows', 'part_of', 'responds_to')", name=op.f("event_link_rel_check")
        ),
        sa.CheckConstraint("event_id <> other_id", name=op.f("event_link_not_to_itself_check")),
        sa.PrimaryKeyConstraint("timeline_id", "event_id", "rel", "other_id", name=op.f("event_link_pkey")),
    )
    op.create_table(
        "event_participant",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("start_earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "reach",
            sa.SmallInteger(),
            sa.Computed(
                _REACH,
                persisted=True,
            ),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("timeline_id", "event_id", "position", name=op.f("event_participant_pkey")),
    )
    op.create_table(
        "event_topic",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("topic", sa.Text(collation="C"), nullable=False),
        sa.Column("start_earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "reach",
            sa.SmallInteger(),
            sa.Computed(
                _REACH,
                persisted=True,
            ),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("timeline_id", "event_id", "topic", name=op.f("event_topic_pkey")),
    )


def _create_foreign_keys() -> None:
    # After all tables: on a distributed PostgreSQL a table is distributed first, and then refers to others.
    op.create_foreign_key("actor_alias_actor_fkey", "actor_alias", "actor", ["actor"], ["slug"], ondelete="CASCADE")
    op.create_foreign_key("event_place_fkey", "event", "place", ["place"], ["slug"])
    op.create_foreign_key("event_timeline_id_fkey", "event", "timeline", ["timeline_id"], ["timeline_id"])
    op.create_foreign_key("claim_source_fkey", "claim", "source", ["source"], ["slug"])
    op.create_foreign_key(
        "claim_timeline_id_event_id_fkey",
        "claim",
        "event",
        ["timeline_id", "event_id"],
        ["timeline_id", "event_id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        "event_link_timeline_id_event_id_fkey",
        "event_link",
        "event",
        ["timeline_id", "event_id"],
        ["timeline_id", "event_id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        "event_link_timeline_id_other_id_fkey",
        "event_link",
        "event",
        ["timeline_id", "other_id"],
        ["timeline_id", "event_id"],
    )
    op.create_foreign_key("event_participant_actor_fkey", "event_participant", "actor", ["actor"], ["slug"])
    op.create_foreign_key(
        "event_participant_timeline_id_event_id_fkey",
        "event_participant",
        "event",
        ["timeline_id", "event_id"],
        ["timeline_id", "event_id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        "event_topic_timeline_id_event_id_fkey",
        "event_topic",
        "event",
        ["timeline_id", "event_id"],
        ["timeline_id", "event_id"],
        ondelete="CASCADE",
    )


def _create_indexes() -> None:
    op.create_index("actor_name_idx", "actor", [sa.literal_column("lower(name)")], unique=False)
    op.create_index("place_name_idx", "place", [sa.literal_column("lower(name)")], unique=False)
    op.create_index("actor_alias_alias_idx", "actor_alias", [sa.literal_column("lower(alias)")], unique=False)
    op.create_index(
        "event_kind_start_idx",
        "event",
        ["timeline_id", "kind", "reach", "start_earliest", "event_id", "end_latest", "start_latest"],
        unique=False,
        postgresql_where=None,
    )
    op.create_index(
        "event_place_start_idx",
        "event",
        ["timeline_id", "place", "reach", "start_earliest", "event_id", "end_latest", "start_latest"],
        unique=False,
        postgresql_where=sa.text("place IS NOT NULL"),
    )
    op.create_index("event_recorded_idx", "event", ["timeline_id", "recorded_at", "event_id"], unique=False)
    op.create_index("event_search_idx", "event", ["timeline_id", "search"], unique=False, postgresql_using="gin")
    op.create_index(
        "event_start_idx",
        "event",
        ["timeline_id", "reach", "start_earliest", "event_id", "end_latest", "start_latest"],
        unique=False,
    )
    op.create_index(
        "event_status_start_idx",
        "event",
        ["timeline_id", "status", "reach", "start_earliest", "event_id", "end_latest", "start_latest"],
        unique=False,
        postgresql_where=None,
    )
    op.create_index(
        "claim_source_start_idx",
        "claim",
        ["timeline_id", "source", "reach", "start_earliest", "event_id", "end_latest"],
        unique=False,
        postgresql_where=None,
    )
    op.create_index("event_link_other_idx", "event_link", ["timeline_id", "other_id"], unique=False)
    op.create_index(
        "event_participant_actor_start_idx",
        "event_participant",
        ["timeline_id", "actor", "reach", "start_earliest", "event_id", "end_latest"],
        unique=False,
        postgresql_where=None,
    )
    op.create_index(
        "event_topic_topic_start_idx",
        "event_topic",
        ["timeline_id", "topic", "reach", "start_earliest", "event_id", "end_latest"],
        unique=False,
        postgresql_where=None,
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in (
        "event_topic",
        "event_participant",
        "event_link",
        "claim",
        "event",
        "actor_alias",
        "timeline",
        "source",
        "signing_key",
        "place",
        "actor",
    ):
        op.drop_table(table)
    # The extension stays: another schema of the same database may use them.
