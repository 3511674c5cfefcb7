"""Keys: who may read, write and administer; of each only a hash is kept.

On a distributed PostgreSQL this is a local table of the coordinator, which alone is asked.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    DateTime,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from service.tables.metadata import instant, metadata

SCOPES = ("read", "write", "admin")

api_key = Table(
    "api_key",
    metadata,
    Column("prefix", Text(collation="C"), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    # slugs; without any, all timelines
    Column("timelines", ARRAY(Text(collation="C"))),
    instant("created_at"),
    Column("created_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("replaces", Text(collation="C")),
    PrimaryKeyConstraint("prefix"),
    UniqueConstraint("hash"),
    CheckConstraint(text("octet_length(hash) = 32"), name="length"),
    CheckConstraint(f"scopes <@ ARRAY[{', '.join(map(repr, SCOPES))}] AND cardinality(scopes) > 0", name="scopes"),
    # who could make keys for all timelines would not be limited to some
    CheckConstraint("timelines IS NULL OR NOT ('admin' = ANY (scopes))", name="unlimited_admin"),
    CheckConstraint("cardinality(timelines) > 0", name="timelines"),
)
