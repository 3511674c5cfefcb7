"""Timelines, and the directory of actors, places and sources that all timelines share.

On a distributed PostgreSQL these are reference tables: small, and present on every node.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service.tables.metadata import SLUG_CHECK, instant, metadata, slug, timeline_id

timeline = Table(
    "timeline",
    metadata,
    timeline_id(),
    slug("slug"),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("visibility", Text, nullable=False),
    Column("version", Integer, nullable=False),
    instant("created_at"),
    PrimaryKeyConstraint("timeline_id"),
    UniqueConstraint("slug"),
    CheckConstraint(SLUG_CHECK.format(column="slug"), name="slug"),
    CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
)

actor = Table(
    "actor",
    metadata,
    slug("slug"),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("same_as", ARRAY(Text), nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("slug"),
    CheckConstraint(SLUG_CHECK.format(column="slug"), name="slug"),
    CheckConstraint("kind IN ('person', 'organization', 'state', 'group')", name="kind"),
)
Index("actor_name_idx", func.lower(actor.c.name))

actor_alias = Table(
    "actor_alias",
    metadata,
    slug("actor"),
    Column("position", SmallInteger, nullable=False),
    Column("alias", Text, nullable=False),
    PrimaryKeyConstraint("actor", "position"),
    UniqueConstraint("actor", "alias"),
    ForeignKeyConstraint(["actor"], ["actor.slug"], ondelete="CASCADE"),
)
Index("actor_alias_alias_idx", func.lower(actor_alias.c.alias))

place = Table(
    "place",
    metadata,
    slug("slug"),
    Column("name", Text, nullable=False),
    Column("country", Text),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("same_as", ARRAY(Text), nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("slug"),
    CheckConstraint(SLUG_CHECK.format(column="slug"), name="slug"),
    CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
    CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
    CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
    CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="coordinates"),
)
Index("place_name_idx", func.lower(place.c.name))

source = Table(
    "source",
    metadata,
    slug("slug"),
    Column("title", Text, nullable=False),
    Column("publisher", Text),
    Column("author", Text),
    Column("url", Text),
    Column("published", Text),
    Column("language", Text),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("slug"),
    CheckConstraint(SLUG_CHECK.format(column="slug"), name="slug"),
)

# What the processes of one deployment must agree on without an operator's help.
signing_key = Table(
    "signing_key",
    metadata,
    Column("purpose", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    PrimaryKeyConstraint("purpose"),
    CheckConstraint(text("octet_length(key) >= 32"), name="length"),
)
