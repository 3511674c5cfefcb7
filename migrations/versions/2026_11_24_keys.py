"""Keep the keys that read, write and administer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_keys"
down_revision = "2026_11_24_webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "api_key",
        sa.Column("prefix", sa.Text(collation="C"), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("timelines", sa.ARRAY(sa.Text(collation="C")), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaces", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("api_key_length_check")),
        sa.CheckConstraint(
            "scopes <@ ARRAY['read', 'write', 'admin'] AND cardinality(scopes) > 0", name=op.f("api_key_scopes_check")
        ),
        sa.CheckConstraint(
            "timelines IS NULL OR NOT ('admin' = ANY (scopes))", name=op.f("api_key_unlimited_admin_check")
        ),
        sa.CheckConstraint("cardinality(timelines) > 0", name=op.f("api_key_timelines_check")),
        sa.PrimaryKeyConstraint("prefix", name=op.f("api_key_pkey")),
        sa.UniqueConstraint("hash", name=op.f("api_key_hash_key")),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("api_key")
