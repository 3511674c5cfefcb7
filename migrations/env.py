"""Alembic's environment: all pending migrations in one transaction, one process at a time.

The URL and, from the service, an open connection come in the configuration's attributes.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from service.store.migration import ADVISORY_LOCK
from service.tables import metadata


def migrate(connection: Connection) -> None:
    """Run what is pending on this connection, in its one transaction."""
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        context.run_migrations()


def migrate_url(url: str) -> None:
    """Connect and migrate."""
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        migrate(connection)


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True, output_buffer=None)
    with context.begin_transaction():
        context.run_migrations()
else:
    migrate_url(context.config.attributes["url"])
