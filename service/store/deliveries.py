"""What became of a webhook's messages: the list of them, the dead ones among them, and another try for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    func,
    literal_column,
    null,
    select,
    tuple_,
    update,
)

from service.errors import NotFound
from service.store.position import Position
from service.store.query import timeline_id_of
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Row, Statement, compiled
from service.store.webhooks import WEBHOOK_ID
from service.tables import DELIVERY_STATES, webhook_delivery

_DELIVERY_ID: ColumnElement[Any] = bindparam("delivery_id", type_=webhook_delivery.c.delivery_id.type)
_OF_WEBHOOK = (webhook_delivery.c.timeline_id == TIMELINE_ID, webhook_delivery.c.webhook_id == WEBHOOK_ID)
_ORDER = (webhook_delivery.c.epoch, webhook_delivery.c.transaction_id, webhook_delivery.c.sequence)
_BEFORE = tuple_(
    bindparam("epoch", type_=Integer),
    bindparam("transaction_id", type_=BigInteger),
    bindparam("sequence", type_=BigInteger),
)
_COLUMNS = (
    webhook_delivery.c.delivery_id,
    *_ORDER,
    webhook_delivery.c.operation,
    webhook_delivery.c.event_id,
    webhook_delivery.c.event_version,
    webhook_delivery.c.recorded_at,
    webhook_delivery.c.state,
    webhook_delivery.c.tries,
    webhook_delivery.c.tried_at,
    webhook_delivery.c.due_at,
    webhook_delivery.c.settled_at,
    webhook_delivery.c.status_code,
    webhook_delivery.c.error,
)
_LISTED: Select[Any] = (
    select(*_COLUMNS)
    .where(*_OF_WEBHOOK, tuple_(*_ORDER) < _BEFORE)
    .order_by(*(column.desc() for column in _ORDER))
    .limit(bindparam("limit", type_=Integer))
)
_LIST: dict[str | None, Statement] = {
    None: compiled(_LISTED),
    **{state: compiled(_LISTED.where(webhook_delivery.c.state == state)) for state in DELIVERY_STATES},
}
_RETRY: Statement = compiled(
    update(webhook_delivery)
    .where(*_OF_WEBHOOK, webhook_delivery.c.delivery_id == _DELIVERY_ID)
    .values(state="pending", tries=literal_column("0"), due_at=func.now(), lease=null(), settled_at=null())
    .returning(*_COLUMNS)
)
# Behind every change there is.
END = Position(2**31 - 1, 2**63 - 1, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Tried:
    """A message and what became of it; instants are microseconds since 1970."""

    delivery_id: UUID
    position: Position
    operation: str
    event_id: UUID
    event_version: int
    recorded_at: int
    state: str
    tries: int
    tried_at: int | None
    due_at: int | None
    settled_at: int | None
    status_code: int | None
    error: str | None


async def list_deliveries(
    connection: Connection,
    timeline_slug: str,
    webhook_id: UUID,
    state: str | None,
    *,
    before: Position,
    limit: int,
) -> tuple[list[Tried], Position | None]:
    """Read at most `limit` messages before a place in the feed, the newest first, and the last one's if more follow."""
    values = {"timeline_id": timeline_id_of(timeline_slug), "webhook_id": webhook_id, "limit": limit + 1}
    rows = await (await _LIST[state].run(connection, values | before._asdict())).fetchall()
    items = [_tried(row) for row in rows[:limit]]
    return items, items[-1].position if len(rows) > limit else None


async def retry_delivery(connection: Connection, timeline_slug: str, webhook_id: UUID, delivery_id: UUID) -> Tried:
    """Have a message tried again from the first try on, whatever became of it. Raises NotFound."""
    values = {
        "timeline_id": timeline_id_of(timeline_slug),
        "webhook_id": webhook_id,
        "delivery_id": delivery_id,
    }
    row = await (await _RETRY.run(connection, values)).fetchone()
    if row is None:
        raise NotFound(f"no delivery {delivery_id} of webhook {webhook_id}")
    return _tried(row)


def _tried(row: Row) -> Tried:
    delivery_id, *position = row[:4]
    return Tried(delivery_id, Position(*position), *row[4:])
