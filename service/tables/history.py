"""Every state that an event ever had, and every write in the order of commits.

A state is never changed but for its `known` range, which a later report may shorten or empty; what the ranges
were at any time follows from `reported_at`, `recorded_at` and `supersedes` alone.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import (
    JSON,
    TSTZMULTIRANGE,
    TSTZRANGE,
    TSVECTOR,
    UUID,
    ExcludeConstraint,
)

from service.tables.event import ORDER, STATUSES, derived_reach, disputed, one_of, shape
from service.tables.metadata import instant, metadata, timeline_id

OPERATIONS = ("created", "amended", "deleted", "revived", "purged")

event_state = Table(
    "event_state",
    metadata,
    timeline_id(),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("known", TSTZRANGE, nullable=False),
    instant("reported_at"),
    instant("recorded_at"),
    Column("supersedes", Boolean, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text),
    # a tombstone has no document, and nothing to be found by
    Column("document", JSON),
    shape(),
    Column("start_earliest", DateTime(timezone=True)),
    Column("start_latest", DateTime(timezone=True)),
    Column("end_earliest", DateTime(timezone=True)),
    Column("end_latest", DateTime(timezone=True)),
    derived_reach(),
    Column("pieces", TSTZMULTIRANGE),
    # for indexes, in which the pieces of a date with gaps have no room
    Column("gapped", Boolean, Computed("pieces IS NOT NULL", persisted=True), nullable=False),
    Column("every_piece", Boolean, nullable=False),
    Column("status", Text(collation="C")),
    Column("facets", ARRAY(Text(collation="C")), nullable=False),
    Column("search", TSVECTOR),
    disputed(),
    PrimaryKeyConstraint("timeline_id", "event_id", "version"),
    ForeignKeyConstraint(["timeline_id"], ["timeline.timeline_id"]),
    ExcludeConstraint(
        (literal_column("timeline_id"), "="),
        (literal_column("event_id"), "="),
        (literal_column("known"), "&&"),
        name="event_state_known_excl",
        using="gist",
    ),
    CheckConstraint(one_of("status", STATUSES), name="status"),
    CheckConstraint("isempty(known) OR lower(known) = reported_at", name="known_from_reported"),
    CheckConstraint(
        "num_nulls(document, start_earliest, start_latest, end_earliest, end_latest, status, search) IN (0, 7)",
        name="tombstone",
    ),
    CheckConstraint("version >= 1", name="version"),
)
Index(
    "event_state_start_idx",
    *(event_state.c[name] for name in ("timeline_id", *ORDER)),
    postgresql_include=["version", "known", "gapped"],
    postgresql_where=text("document IS NOT NULL"),
)
Index(
    "event_state_shape_idx",
    event_state.c.timeline_id,
    event_state.c.shape,
    postgresql_where=text("document IS NOT NULL"),
)
Index("event_state_reported_idx", event_state.c.timeline_id, event_state.c.reported_at, event_state.c.event_id)
Index(
    "event_state_facets_idx",
    event_state.c.timeline_id,
    event_state.c.facets,
    postgresql_using="gin",
)
Index(
    "event_state_search_idx",
    event_state.c.timeline_id,
    event_state.c.search,
    postgresql_using="gin",
)

# What a filter may find a state by, a row for each, written and changed with the state. In the order of the dates for
# each value, so that a page of what was known is walked as one of the present is, in this index alone.
state_facet = Table(
    "state_facet",
    metadata,
    timeline_id(),
    Column("facet", Text(collation="C"), nullable=False),
    instant("start_earliest"),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    instant("end_latest"),
    Column("known", TSTZRANGE, nullable=False),
    Column("gapped", Boolean, nullable=False),
    derived_reach(),
    PrimaryKeyConstraint(
        "timeline_id",
        "facet",
        "reach",
        "start_earliest",
        "event_id",
        "version",
        postgresql_include=["end_latest", "known", "gapped"],
    ),
    ForeignKeyConstraint(["timeline_id"], ["timeline.timeline_id"]),
)

# A write, in the order (epoch, transaction, sequence): the order of commits as far as a follower can tell.
change = Table(
    "change",
    metadata,
    timeline_id(),
    Column("epoch", Integer, nullable=False),
    Column("transaction_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, Identity(always=True), nullable=False),
    Column("operation", Text, nullable=False),
    Column("event_id", UUID(as_uuid=True), nullable=False),
    # the state that the write recorded; the event as it stands after it may be another, when a report came late
    Column("state", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    instant("recorded_at"),
    PrimaryKeyConstraint("timeline_id", "epoch", "transaction_id", "sequence"),
    ForeignKeyConstraint(["timeline_id"], ["timeline.timeline_id"]),
    CheckConstraint(one_of("operation", OPERATIONS), name="operation"),
)

Index("change_event_idx", change.c.timeline_id, change.c.event_id, change.c.state)

# Which life of the database this is: a dump that was restored elsewhere goes on in another epoch, since there
# the transactions are counted anew. One row.
feed = Table(
    "feed",
    metadata,
    Column("one", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("token", UUID(as_uuid=True), nullable=False),
    Column("home", Text, nullable=False),
    PrimaryKeyConstraint("one"),
    CheckConstraint("one", name="one_row"),
)

# How far a timeline's old changes were swept: the place of the last one. It outlives them.
feed_floor = Table(
    "feed_floor",
    metadata,
    timeline_id(),
    Column("epoch", Integer, nullable=False),
    Column("transaction_id", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    PrimaryKeyConstraint("timeline_id"),
)
