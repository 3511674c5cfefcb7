"""Remember how far each timeline's old changes were swept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_feed_floor"
down_revision = "2026_11_24_states"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "feed_floor",
        sa.Column("timeline_id", sa.UUID(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("timeline_id", name=op.f("feed_floor_pkey")),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("feed_floor")
