"""Let the index that was laid be the states' key; PostgreSQL gives it the key's name.

Apart from laying it, so that a try which does not get its lock at once costs no more than the next one.
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_24_lean_key"
down_revision = "2026_11_24_lean_key_index"
branch_labels = None
depends_on = None

# the constraint that goes comes back in the same statement
_SWAP = (
    "-- squawk-ignore ban-drop-constraint\n"
    "ALTER TABLE event_state DROP CONSTRAINT event_state_pkey,"
    " ADD CONSTRAINT event_state_pkey PRIMARY KEY USING INDEX {}"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '500ms'")
    op.execute(_SWAP.format("event_state_lean_key"))


def downgrade() -> None:
    # the wide one, and the lean one anew, which goes with the constraint
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # nobody waits for it while it waits
        for name, included in (("event_state_wide_key", ["known", "gapped"]), ("event_state_lean_key", None)):
            op.drop_index(name, "event_state", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                "event_state",
                ["timeline_id", "event_id", "version"],
                unique=True,
                if_not_exists=True,
                postgresql_concurrently=True,
                postgresql_include=included,
            )
    op.execute("SET LOCAL lock_timeout = '500ms'")
    op.execute(_SWAP.format("event_state_wide_key"))
