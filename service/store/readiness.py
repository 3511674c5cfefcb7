"""Whether a database's schema is this release's."""

from __future__ import annotations

from sqlalchemy import column, select, table

from service.errors import Unavailable
from service.store.migration import head_revision
from service.store.statement import Connection, Statement, compiled

_REVISION: Statement = compiled(select(column("version_num")).select_from(table("alembic_version")))


async def check_schema(connection: Connection) -> None:
    """Raise Unavailable if the schema is another release's."""
    row = await (await _REVISION.run(connection, {})).fetchone()
    present = None if row is None else row[0]
    if present != head_revision():
        raise Unavailable(f"the schema is at {present}, this release needs {head_revision()}")
