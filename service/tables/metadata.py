"""The one MetaData, with the naming of constraints that the migrations and the errors rely on."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, Text
from sqlalchemy.dialects.postgresql import UUID

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SLUG_CHECK = "{column} ~ '" + SLUG + "' AND length({column}) <= 80"


def timeline_id() -> Column[object]:
    """Make the distribution column: first in every key of a table that belongs to a timeline."""
    return Column("timeline_id", UUID(as_uuid=True), nullable=False)


def instant(name: str) -> Column[object]:
    """Make a column of instants in UTC, one microsecond fine, ±infinity allowed."""
    return Column(name, DateTime(timezone=True), nullable=False)


def slug(name: str, *, nullable: bool = False) -> Column[object]:
    """Make a column of slugs, compared byte by byte whatever the database's collation."""
    return Column(name, Text(collation="C"), nullable=nullable)
