"""Answers that are kept for a while, so that a request that is repeated is answered again and not done again."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from service.tables.metadata import instant, metadata

# Of no timeline. `digest` names the caller, the method, the path and the key together; `fingerprint` is of what was
# sent. On a distributed PostgreSQL this is a local table of the coordinator.
kept_answer = Table(
    "kept_answer",
    metadata,
    Column("digest", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    instant("created_at"),
    PrimaryKeyConstraint("digest"),
    CheckConstraint(text("octet_length(digest) = 32 AND octet_length(fingerprint) = 32"), name="length"),
    CheckConstraint("status BETWEEN 200 AND 299", name="status"),
)
Index("kept_answer_created_idx", kept_answer.c.created_at)
