"""Whether a database's schema is one that this release runs on."""

from __future__ import annotations

from sqlalchemy import column, select, table

from service.errors import Unavailable
from service.store.migration import head_revision, known_revisions
from service.store.statement import Connection, Statement, compiled

_REVISION: Statement = compiled(select(column("version_num")).select_from(table("alembic_version")))


async def check_schema(connection: Connection) -> None:
    """Raise Unavailable if the schema is an earlier release's; one that a later release has brought further will do."""
    row = await (await _REVISION.run(connection, {})).fetchone()
    present = None if row is None else row[0]
    if present != head_revision() and (present is None or present in known_revisions()):
        raise Unavailable(f"the schema is at {present}, this release needs {head_revision()}")
