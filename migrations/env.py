"""Alembic's environment: each pending migration in a transaction of its own.

So no lock is held for longer than one of them takes, and one that lays an index without holding up anyone may leave its
transaction. That one process migrates at a time is seen to by `service.store.migration`.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, pool

from service.tables import metadata


def _take_time(connection: Connection) -> None:
    """Have no limit of the role or the database end a migration, which then would begin anew for ever."""
    limits = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if (connection.dialect.server_version_info or ()) >= (17,):
        limits.append("transaction_timeout")
    for name in limits:
        connection.exec_driver_sql(f"SET {name} = 0")
    connection.commit()


def migrate_url(url: str) -> None:
    """Connect and migrate."""
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        _take_time(connection)
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        target_metadata=metadata,
        literal_binds=True,
        output_buffer=None,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    migrate_url(context.config.attributes["url"])
