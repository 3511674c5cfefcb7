"""The audit trail: who wrote what, with which key, from where. The service's own database role only adds to it.

On a distributed PostgreSQL this is a local table of the coordinator.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, SmallInteger, Table, Text
from sqlalchemy.dialects.postgresql import UUID

from service.tables.metadata import instant, metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    # of version 7: in the order of time
    Column("entry_id", UUID(as_uuid=True), nullable=False),
    instant("recorded_at"),
    Column("caller", Text, nullable=False),
    Column("address", Text),
    Column("request_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    # where the answer says that what it made is
    Column("location", Text),
    PrimaryKeyConstraint("entry_id"),
)
Index("audit_entry_caller_idx", audit_entry.c.caller, audit_entry.c.entry_id)
