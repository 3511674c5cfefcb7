"""Two roles of the database: one that owns the schema and changes it, one that serves and owns nothing.

What the second is granted is all that the service does: rows of its tables to read and write, and the audit trail to
read and to add to. It can neither change the schema nor take back what the trail says.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from service.tables import audit_entry, metadata

APPENDED_ONLY = frozenset({audit_entry.name})
_VERSIONS = "alembic_version"
# Any number will do that no other user of the same database takes.
_LOCK = 0x44_41_54_47


def grant_service(owner_url: str, service_url: str) -> str | None:
    """Grant what serving takes to the role of one URL, as the role of the other; name it, or None where both are one.

    Repeating it changes nothing. Raises psycopg.Error where the second role cannot connect, or the first not grant.
    """
    with psycopg.connect(service_url) as connection:
        role = _current_user(connection)
    with psycopg.connect(owner_url) as connection:
        if _current_user(connection) == role:
            return None
        # several may start at once, and two that grant the same at the same time get in each other's way
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for statement in _grants(role):
            connection.execute(statement)
    return role


def _current_user(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT current_user").fetchone()
    assert row is not None  # noqa: S101  # it always answers
    return str(row[0])


def _grants(role: str) -> list[sql.Composed]:
    """Write the statements: a table's rights are taken first, so that those that are given are all."""
    name = sql.Identifier(role)
    statements = [
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier("public"), name),
        sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(_VERSIONS), name),
    ]
    for table in metadata.sorted_tables:
        rights = "SELECT, INSERT" if table.name in APPENDED_ONLY else "SELECT, INSERT, UPDATE, DELETE"
        statements.append(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(table.name), name))
        statements.append(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), sql.Identifier(table.name), name))
    return statements
