"""Send changes to webhooks: where to, signed with what, and what became of each message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_webhooks"
down_revision = "2026_11_24_feed_floor"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_tables()
    _create_foreign_keys()
    _create_indexes()


def _create_tables() -> None:
    op.create_table(
        "webhook",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("operations", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("facets", sa.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("token", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "operations <@ ARRAY['created', 'amended', 'deleted', 'revived', 'purged']",
            name=op.f("webhook_operations_check"),
        ),
        sa.CheckConstraint("enabled = (disabled_reason IS NULL)", name=op.f("webhook_enabled_check")),
        sa.CheckConstraint("version >= 1", name=op.f("webhook_version_check")),
        sa.PrimaryKeyConstraint("timeline_id", "webhook_id", name=op.f("webhook_pkey")),
    )
    op.create_table(
        "webhook_secret",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("secret_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(key) BETWEEN 24 AND 64", name=op.f("webhook_secret_length_check")),
        sa.PrimaryKeyConstraint("timeline_id", "webhook_id", "secret_id", name=op.f("webhook_secret_pkey")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("delivery_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("event_state", sa.Integer(), nullable=False),
        sa.Column("event_version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.UUID(), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status_code", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "operation IN ('created', 'amended', 'deleted', 'revived', 'purged')",
            name=op.f("webhook_delivery_operation_check"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead')",
            name=op.f("webhook_delivery_state_check"),
        ),
        sa.CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name=op.f("webhook_delivery_due_check")),
        sa.CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name=op.f("webhook_delivery_settled_check")),
        sa.PrimaryKeyConstraint("timeline_id", "webhook_id", "delivery_id", name=op.f("webhook_delivery_pkey")),
        sa.UniqueConstraint(
            "timeline_id",
            "webhook_id",
            "epoch",
            "transaction_id",
            "sequence",
            name="webhook_delivery_position_key",
        ),
    )


def _create_foreign_keys() -> None:
    op.create_foreign_key(
        "webhook_timeline_id_fkey", "webhook", "timeline", ["timeline_id"], ["timeline_id"], ondelete="CASCADE"
    )
    for table in ("webhook_secret", "webhook_delivery"):
        op.create_foreign_key(
            f"{table}_timeline_id_webhook_id_fkey",
            table,
            "webhook",
            ["timeline_id", "webhook_id"],
            ["timeline_id", "webhook_id"],
            ondelete="CASCADE",
        )


def _create_indexes() -> None:
    place = ["epoch", "transaction_id", "sequence"]
    op.create_index(
        "webhook_delivery_due_idx",
        "webhook_delivery",
        ["timeline_id", "webhook_id", "due_at", *place],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "webhook_delivery_state_idx",
        "webhook_delivery",
        ["timeline_id", "webhook_id", "state", *place],
        unique=False,
    )
    op.create_index(
        "webhook_delivery_settled_idx",
        "webhook_delivery",
        ["timeline_id", "webhook_id", "settled_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("webhook_delivery", "webhook_secret", "webhook"):
        op.drop_table(table)
