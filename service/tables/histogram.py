"""How many events of a timeline may begin and end, and certainly do, in each bucket of the calendar.

The sums over a timeline's rows, up to a bucket, are what a histogram tells of it. A write appends what it changes;
now and then that is folded into the summary, so that no two writers wait for each other.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE

from service.dates import Unit
from service.tables.event import one_of
from service.tables.metadata import instant, metadata, timeline_id

histogram = Table(
    "histogram",
    metadata,
    timeline_id(),
    Column("unit", Text(collation="C"), nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("possible_from", Integer, nullable=False),
    Column("possible_to", Integer, nullable=False),
    Column("certain_from", Integer, nullable=False),
    Column("certain_to", Integer, nullable=False),
    PrimaryKeyConstraint("timeline_id", "unit", "bucket"),
    CheckConstraint(one_of("unit", tuple(Unit)), name="unit"),
)

# An event that came (+1) or went (-1), as far as a histogram needs it; a new date is both.
histogram_change = Table(
    "histogram_change",
    metadata,
    timeline_id(),
    Column("sequence", BigInteger, Identity(always=True), nullable=False),
    Column("events", SmallInteger, nullable=False),
    instant("start_earliest"),
    instant("start_latest"),
    instant("end_earliest"),
    instant("end_latest"),
    Column("pieces", TSTZMULTIRANGE),
    Column("every_piece", Boolean, nullable=False),
    PrimaryKeyConstraint("timeline_id", "sequence"),
    CheckConstraint("events IN (-1, 1)", name="events"),
)
