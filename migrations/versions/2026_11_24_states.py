"""Keep every state of an event, and every write in the order of commits.

An event that is there already gets its present state, known from its report, and a place in the feed.

What was known is asked for as the present is: walked in the order of the dates, by an index that tells which states
were known and which dates have gaps, and for each filter's value by `state_facet`, which knows the same of each. At
300,000 events of five states each, half of them reported by then, a page takes 1.0 to 2.0 times what it takes of the
present (`make bench`). By a GIN index on the states' values alone, a rare one over everything took up to 280 times.

A state takes some 2 kB, what filters find it by some 1.8 kB with its index.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_states"
down_revision = "2026_11_24_foundation"
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
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    _create_tables()
    _create_foreign_keys()
    op.execute(
        "INSERT INTO feed (one, epoch, token, home) VALUES (true, 1, gen_random_uuid(),"
        " (SELECT system_identifier FROM pg_control_system())"
        " || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    _mark_disputed()
    _record_present_states()
    _create_indexes()


def _create_tables() -> None:
    op.create_table(
        "feed",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("token", sa.UUID(), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.CheckConstraint("one", name=op.f("feed_one_row_check")),
        sa.PrimaryKeyConstraint("one", name=op.f("feed_pkey")),
    )
    op.create_table(
        "change",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "operation IN ('created', 'amended', 'deleted', 'revived', 'purged')", name=op.f("change_operation_check")
        ),
        sa.PrimaryKeyConstraint("timeline_id", "epoch", "transaction_id", "sequence", name=op.f("change_pkey")),
    )
    op.create_table(
        "event_state",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("supersedes", sa.Boolean(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("start_earliest", sa.DateTime(timezone=True), nullable=True),
        sa.Column("start_latest", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_earliest", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_latest", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reach", sa.SmallInteger(), sa.Computed(_REACH, persisted=True), nullable=False),
        sa.Column("pieces", postgresql.TSTZMULTIRANGE(), nullable=True),
        sa.Column("gapped", sa.Boolean(), sa.Computed("pieces IS NOT NULL", persisted=True), nullable=False),
        sa.Column("every_piece", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=True),
        sa.Column("facets", sa.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), nullable=True),
        sa.Column("disputed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.literal_column("timeline_id"), "="),
            (sa.literal_column("event_id"), "="),
            (sa.literal_column("known"), "&&"),
            using="gist",
            name="event_state_known_excl",
        ),
        sa.CheckConstraint(
            "status IN ('tentative', 'planned', 'occurred', 'postponed', 'cancelled')",
            name=op.f("event_state_status_check"),
        ),
        sa.CheckConstraint(
            "isempty(known) OR lower(known) = reported_at", name=op.f("event_state_known_from_reported_check")
        ),
        sa.CheckConstraint(
            "num_nulls(document, start_earliest, start_latest, end_earliest, end_latest, status, search) IN (0, 7)",
            name=op.f("event_state_tombstone_check"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("event_state_version_check")),
        sa.PrimaryKeyConstraint(
            "timeline_id", "event_id", "version", postgresql_include=["known", "gapped"], name=op.f("event_state_pkey")
        ),
    )
    op.create_table(
        "state_facet",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("facet", sa.Text(collation="C"), nullable=False),
        sa.Column("start_earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("end_latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("gapped", sa.Boolean(), nullable=False),
        sa.Column("reach", sa.SmallInteger(), sa.Computed(_REACH, persisted=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "timeline_id",
            "facet",
            "reach",
            "start_earliest",
            "event_id",
            "version",
            postgresql_include=["end_latest", "known", "gapped"],
            name=op.f("state_facet_pkey"),
        ),
    )


def _mark_disputed() -> None:
    # What a claim says against the status is told here; what one says against the date, from the next write on: it
    # takes reading both.
    op.add_column("event", sa.Column("disputed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("""
        UPDATE event e SET disputed = true WHERE EXISTS (
            SELECT FROM claim c WHERE c.timeline_id = e.timeline_id AND c.event_id = e.event_id
                AND c.asserts_status <> e.status
        )
    """)


def _create_foreign_keys() -> None:
    # After all tables: on a distributed PostgreSQL a table is distributed first, and then refers to others.
    op.create_foreign_key("change_timeline_id_fkey", "change", "timeline", ["timeline_id"], ["timeline_id"])
    op.create_foreign_key("state_facet_timeline_id_fkey", "state_facet", "timeline", ["timeline_id"], ["timeline_id"])
    op.create_foreign_key("event_state_timeline_id_fkey", "event_state", "timeline", ["timeline_id"], ["timeline_id"])


def _record_present_states() -> None:
    op.execute("""
        INSERT INTO event_state (timeline_id, event_id, version, known, reported_at, recorded_at, supersedes, author,
            document, start_earliest, start_latest, end_earliest, end_latest, pieces, every_piece, status, facets,
            search, disputed)
        SELECT timeline_id, event_id, version, tstzrange(reported_at, NULL), reported_at, recorded_at, false,
            'unknown', document, start_earliest, start_latest, end_earliest, end_latest, pieces, every_piece, status,
            ARRAY(
                SELECT 'status:' || e.status
                UNION SELECT 'kind:' || e.kind
                UNION SELECT 'place:' || e.place WHERE e.place IS NOT NULL
                UNION SELECT 'actor:' || p.actor FROM event_participant p
                    WHERE p.timeline_id = e.timeline_id AND p.event_id = e.event_id
                UNION SELECT 'topic:' || t.topic FROM event_topic t
                    WHERE t.timeline_id = e.timeline_id AND t.event_id = e.event_id
                UNION SELECT 'source:' || c.source FROM claim c
                    WHERE c.timeline_id = e.timeline_id AND c.event_id = e.event_id
                ORDER BY 1
            ), search, disputed
        FROM event e
    """)
    op.execute("""
        INSERT INTO state_facet (timeline_id, facet, start_earliest, event_id, version, end_latest, known, gapped)
        SELECT timeline_id, unnest(facets), start_earliest, event_id, version, end_latest, known, gapped
        FROM event_state
    """)
    op.execute("""
        INSERT INTO change (timeline_id, epoch, transaction_id, operation, event_id, state, version, recorded_at)
        SELECT timeline_id, 1, pg_current_xact_id()::text::bigint, 'created', event_id, version, version, recorded_at
        FROM event ORDER BY recorded_at, event_id
    """)


def _create_indexes() -> None:
    op.create_index("change_event_idx", "change", ["timeline_id", "event_id", "state"], unique=False)
    op.create_index(
        "event_state_facets_idx", "event_state", ["timeline_id", "facets"], unique=False, postgresql_using="gin"
    )
    op.create_index("event_state_reported_idx", "event_state", ["timeline_id", "reported_at", "event_id"], unique=False)
    op.create_index(
        "event_state_search_idx", "event_state", ["timeline_id", "search"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "event_state_start_idx",
        "event_state",
        ["timeline_id", "reach", "start_earliest", "event_id", "end_latest"],
        unique=False,
        postgresql_include=["version", "known", "gapped"],
        postgresql_where=sa.text("document IS NOT NULL"),
    )
    op.create_index(
        "event_disputed_idx",
        "event",
        ["timeline_id", "reach", "start_earliest", "event_id", "end_latest"],
        unique=False,
        postgresql_where=sa.text("disputed"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("state_facet", "event_state", "change", "feed"):
        op.drop_table(table)
    op.drop_column("event", "disputed")
