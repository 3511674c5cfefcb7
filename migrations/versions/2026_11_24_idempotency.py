"""Keep the answers to writes that bear an idempotency key.

The table is of no timeline: a key may stand with a timeline that is still to be made, or with the directory. It is
read and written by its whole key alone, so on a distributed PostgreSQL it is distributed by `digest`, colocated with
nothing; it refers to nothing, and nothing refers to it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_idempotency"
down_revision = "2026_11_24_histogram"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "kept_answer",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "octet_length(digest) = 32 AND octet_length(fingerprint) = 32", name=op.f("kept_answer_length_check")
        ),
        sa.CheckConstraint("status BETWEEN 200 AND 299", name=op.f("kept_answer_status_check")),
        sa.PrimaryKeyConstraint("digest", name=op.f("kept_answer_pkey")),
    )
    op.create_index("kept_answer_created_idx", "kept_answer", ["created_at"], unique=False)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("kept_answer")
