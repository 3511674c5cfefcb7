"""The audit trail: an entry for each write, in the write's own transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, bindparam, func, insert, select

from service.dates import format_instant
from service.store.record import new_id
from service.store.statement import Connection, Statement, compiled, parameters
from service.tables import audit_entry
from service.wire.audit import AuditEntry

_CALLER: ColumnElement[Any] = bindparam("caller", type_=audit_entry.c.caller.type)
_INSERT: Statement = compiled(
    insert(audit_entry).values(parameters(audit_entry) | {"recorded_at": func.clock_timestamp()})
)
_listed = (
    select(audit_entry)
    .where(audit_entry.c.entry_id < bindparam("before", type_=audit_entry.c.entry_id.type))
    .order_by(audit_entry.c.entry_id.desc())
    .limit(bindparam("limit", type_=Integer))
)
_LIST: Statement = compiled(_listed)
_LIST_OF_CALLER: Statement = compiled(_listed.where(audit_entry.c.caller == _CALLER))
NEWEST = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Trace:
    """What is to be known of a write: by whom, from where, which request, which operation on what path."""

    caller: str
    address: str | None
    request_id: str
    operation: str
    path: str


OPERATOR = "operator"


async def record_command(connection: Connection, operation: str, path: str, *, status: int) -> None:
    """Write down what was done on the command line, as the operation of the API that does the same."""
    trace = Trace(OPERATOR, None, new_id().hex, operation, path)
    await record_trace(connection, trace, status=status, location=None)


async def record_trace(connection: Connection, trace: Trace, *, status: int, location: str | None) -> None:
    """Write down that a write was done, inside its transaction, and how it is answered."""
    await _INSERT.run(connection, {**asdict(trace), "entry_id": new_id(), "status": status, "location": location})


async def list_traces(
    connection: Connection, *, caller: str | None, before: UUID | None, limit: int
) -> tuple[list[AuditEntry], UUID | None]:
    """Read at most `limit` entries, the newest first, and the last one's identity if more follow."""
    values: dict[str, object] = {"before": before or NEWEST, "limit": limit + 1}
    if caller is None:
        cursor = await _LIST.run(connection, values)
    else:
        cursor = await _LIST_OF_CALLER.run(connection, values | {"caller": caller})
    rows = await cursor.fetchall()
    entries = [
        AuditEntry.model_validate(
            dict(zip(AuditEntry.model_fields, row, strict=True)) | {"recorded_at": format_instant(row[1])}
        )
        for row in rows[:limit]
    ]
    return entries, entries[-1].id if len(rows) > limit else None
