"""Say of each document which shape it has: all that are there have the first.

A default that is a constant is not written to the rows: the table is locked for as long as its description takes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_document_shape"
down_revision = "2026_11_24_idempotency"
branch_labels = None
depends_on = None

# in the order in which a write takes them
_TABLES = ("event_state", "event")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '500ms'")
    for table in _TABLES:
        op.add_column(table, sa.Column("shape", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '500ms'")
    for table in _TABLES:
        op.drop_column(table, "shape")
