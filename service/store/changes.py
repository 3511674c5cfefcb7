"""The change feed: every write in an order that no follower can fall behind unseen.

Ordered by (epoch, transaction, sequence) and read up to the oldest transaction that is still under way
(`pg_snapshot_xmin`), so that what commits late is waited for, never skipped. By sequence alone a follower loses
what commits after a higher number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import BigInteger, Text, bindparam, cast, func, insert, literal_column, select

from service.store.statement import Connection, Statement, compiled, parameters
from service.tables import change, feed

Operation = Literal["created", "amended", "deleted", "revived", "purged"]

# Whoever waits for changes listens on this channel; the payload is the timeline's identity.
CHANNEL = "dateline_changes"

_TRANSACTION = cast(cast(func.pg_current_xact_id(), Text), BigInteger)
_APPEND: Statement = compiled(
    insert(change).values(
        parameters(change) | {"epoch": select(feed.c.epoch).scalar_subquery(), "transaction_id": _TRANSACTION}
    )
)
_NOTIFY: Statement = compiled(select(func.pg_notify(literal_column(f"'{CHANNEL}'"), bindparam("payload", type_=Text))))


async def append_change(connection: Connection, operation: Operation, row: Mapping[str, object]) -> None:
    """Add a write to the feed, inside its transaction, and wake whoever waits for it.

    `row` holds the event's key, the `state` that was recorded, the `version` that is present, and `recorded_at`.
    """
    await _APPEND.run(connection, {**row, "operation": operation})
    await _NOTIFY.run(connection, {"payload": str(row["timeline_id"])})
