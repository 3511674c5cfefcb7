"""Webhooks: where changes are sent to, the keys that sign them, and what became of each message."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from service.tables.event import one_of
from service.tables.history import OPERATIONS
from service.tables.metadata import instant, metadata, timeline_id

DELIVERY_STATES = ("pending", "delivered", "dead")


def _belongs_to_webhook() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["timeline_id", "webhook_id"], ["webhook.timeline_id", "webhook.webhook_id"], ondelete="CASCADE"
    )


webhook = Table(
    "webhook",
    metadata,
    timeline_id(),
    Column("webhook_id", UUID(as_uuid=True), nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("operations", ARRAY(Text), nullable=False),
    # as an event's own: a filter's name, a colon, a value
    Column("facets", ARRAY(Text(collation="C")), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    # how far the feed was read for it, and in which life of the database
    Column("token", UUID(as_uuid=True), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("transaction_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    instant("created_at"),
    PrimaryKeyConstraint("timeline_id", "webhook_id"),
    ForeignKeyConstraint(["timeline_id"], ["timeline.timeline_id"], ondelete="CASCADE"),
    CheckConstraint(f"operations <@ ARRAY[{', '.join(map(repr, OPERATIONS))}]", name="operations"),
    CheckConstraint("enabled = (disabled_reason IS NULL)", name="enabled"),
    CheckConstraint("version >= 1", name="version"),
)

webhook_secret = Table(
    "webhook_secret",
    metadata,
    timeline_id(),
    Column("webhook_id", UUID(as_uuid=True), nullable=False),
    Column("secret_id", UUID(as_uuid=True), nullable=False),
    Column("key", LargeBinary, nullable=False),
    instant("created_at"),
    # until when it signs beside the newest; that one signs on
    Column("expires_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("timeline_id", "webhook_id", "secret_id"),
    _belongs_to_webhook(),
    CheckConstraint(text("octet_length(key) BETWEEN 24 AND 64"), name="length"),
)

# A change on its way to a webhook: its place in the feed, and how far it has come. `due_at` is when it is to be
# tried; whoever takes it moves that to when its lease ends, so that another takes it if the first one dies.
webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    timeline_id(),
    Column("webhook_id", UUID(as_uuid=True), nullable=False),
    Column("delivery_id", UUID(as_uuid=True), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("transaction_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("operation", Text, nullable=False),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("event_state", Integer, nullable=False),
    Column("event_version", Integer, nullable=False),
    instant("recorded_at"),
    Column("state", Text, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("lease", UUID(as_uuid=True)),
    Column("tried_at", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    Column("status_code", SmallInteger),
    Column("error", Text),
    PrimaryKeyConstraint("timeline_id", "webhook_id", "delivery_id"),
    UniqueConstraint(
        "timeline_id",
        "webhook_id",
        "epoch",
        "transaction_id",
        "sequence",
        name="webhook_delivery_position_key",
    ),
    _belongs_to_webhook(),
    CheckConstraint(one_of("operation", OPERATIONS), name="operation"),
    CheckConstraint(one_of("state", DELIVERY_STATES), name="state"),
    CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="due"),
    CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled"),
)
Index(
    "webhook_delivery_due_idx",
    webhook_delivery.c.timeline_id,
    webhook_delivery.c.webhook_id,
    webhook_delivery.c.due_at,
    webhook_delivery.c.epoch,
    webhook_delivery.c.transaction_id,
    webhook_delivery.c.sequence,
    postgresql_where=text("due_at IS NOT NULL"),
)
Index(
    "webhook_delivery_state_idx",
    webhook_delivery.c.timeline_id,
    webhook_delivery.c.webhook_id,
    webhook_delivery.c.state,
    webhook_delivery.c.epoch,
    webhook_delivery.c.transaction_id,
    webhook_delivery.c.sequence,
)
Index(
    "webhook_delivery_settled_idx",
    webhook_delivery.c.timeline_id,
    webhook_delivery.c.webhook_id,
    webhook_delivery.c.settled_at,
    postgresql_where=text("settled_at IS NOT NULL"),
)
