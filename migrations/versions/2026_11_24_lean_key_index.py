"""Lay an index for the states' key without what the present one includes; the next migration lets it be the key.

What was known, and which dates have gaps, was read there to answer filtered questions of the past. `state_facet` knows
both: no statement reads a key of `event_state` without its row any more.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_24_lean_key_index"
down_revision = "2026_11_24_shape_index"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # nobody waits for it while it waits
        op.drop_index("event_state_lean_key", "event_state", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "event_state_lean_key",
            "event_state",
            ["timeline_id", "event_id", "version"],
            unique=True,
            if_not_exists=True,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # nobody waits for it while it waits
        op.drop_index("event_state_lean_key", "event_state", if_exists=True, postgresql_concurrently=True)
