"""Mark the events that ever were plans, so that they are found and counted without reading their histories."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_plans"
down_revision = "2026_11_24_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("event", sa.Column("was_planned", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("""
        UPDATE event e SET was_planned = true WHERE status IN ('planned', 'tentative') OR EXISTS (
            SELECT FROM event_state s WHERE s.timeline_id = e.timeline_id AND s.event_id = e.event_id
                AND NOT isempty(s.known) AND s.status IN ('planned', 'tentative')
        )
    """)
    op.create_index(
        "event_plan_idx",
        "event",
        ["timeline_id", "status", "start_earliest", "event_id"],
        unique=False,
        postgresql_include=["end_latest"],
        postgresql_where=sa.text("was_planned"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("event_plan_idx", "event")
    op.drop_column("event", "was_planned")
