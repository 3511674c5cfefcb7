"""The schema's history: one dated revision a change (Alembic)."""
