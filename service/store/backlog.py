"""How much waits to be sent to webhooks, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, extract, func, literal_column, select, true, tuple_
from sqlalchemy.sql.selectable import LateralFromClause

from service.store.feed_selection import HORIZON, horizon_of, up_to_horizon
from service.store.statement import Connection, Statement
from service.tables import change, feed, webhook, webhook_delivery

_OF_THIS = (
    webhook_delivery.c.timeline_id == webhook.c.timeline_id,
    webhook_delivery.c.webhook_id == webhook.c.webhook_id,
)
_PLACE = (change.c.epoch, change.c.transaction_id, change.c.sequence)
_ONE: ColumnElement[Any] = literal_column("1")


def _count(name: str, *terms: ColumnElement[bool]) -> LateralFromClause:
    return select(func.count().label("messages")).select_from(webhook_delivery).where(*_OF_THIS, *terms).lateral(name)


_PENDING = _count("pending", webhook.c.enabled, webhook_delivery.c.due_at.is_not(None))
_DUE = _count("due", webhook.c.enabled, webhook_delivery.c.due_at <= func.now())
_DEAD = _count("dead", webhook_delivery.c.state == "dead")
_OLDEST_MESSAGE = (
    select(webhook_delivery.c.recorded_at)
    .where(*_OF_THIS, webhook.c.enabled, webhook_delivery.c.state == "pending")
    .order_by(webhook_delivery.c.epoch, webhook_delivery.c.transaction_id, webhook_delivery.c.sequence)
    .limit(_ONE)
    .lateral("oldest_message")
)
_IS_NEXT = (
    webhook.c.enabled,
    tuple_(*_PLACE) > tuple_(webhook.c.epoch, webhook.c.transaction_id, webhook.c.sequence),
    tuple_(change.c.epoch, change.c.transaction_id) < tuple_(feed.c.epoch, HORIZON),
)
# Of which no message was made yet: without any worker nothing else would tell that nothing is sent.
_NEXT_CHANGE = (
    select(change.c.recorded_at)
    .where(change.c.timeline_id == webhook.c.timeline_id, *_IS_NEXT)
    .order_by(*_PLACE)
    .limit(_ONE)
    .lateral("next_change")
)


def _gathered() -> Select[Any]:
    """Ask for each figure of all webhooks by itself: so a cluster's servers work it out, each of its own webhooks."""
    sent = webhook_delivery.join(webhook, and_(*_OF_THIS))
    messages = select(func.count()).select_from(sent)
    pending = webhook_delivery.c.due_at.is_not(None)
    oldest_message = (
        select(func.min(webhook_delivery.c.recorded_at)).select_from(sent).where(webhook.c.enabled, pending)
    )
    next_change = (
        select(func.min(change.c.recorded_at))
        .select_from(change.join(webhook, change.c.timeline_id == webhook.c.timeline_id).join(feed, true()))
        .where(*_IS_NEXT)
    )
    oldest = func.least(oldest_message.scalar_subquery(), next_change.scalar_subquery())
    return select(
        messages.where(webhook.c.enabled, pending).scalar_subquery(),
        messages.where(webhook.c.enabled, webhook_delivery.c.due_at <= func.now()).scalar_subquery(),
        messages.where(webhook_delivery.c.state == "dead").scalar_subquery(),
        func.coalesce(extract("epoch", func.clock_timestamp() - oldest), _ZERO),
        select(func.count()).select_from(webhook).where(~webhook.c.enabled).scalar_subquery(),
    )


_OLDEST = func.min(func.least(_OLDEST_MESSAGE.c.recorded_at, _NEXT_CHANGE.c.recorded_at))
_ZERO: ColumnElement[Any] = literal_column("0")
_BACKLOG: Statement = up_to_horizon(
    select(
        func.coalesce(func.sum(_PENDING.c.messages), _ZERO),
        func.coalesce(func.sum(_DUE.c.messages), _ZERO),
        func.coalesce(func.sum(_DEAD.c.messages), _ZERO),
        func.coalesce(extract("epoch", func.clock_timestamp() - _OLDEST), _ZERO),
        func.count().filter(~webhook.c.enabled),
    ).select_from(
        webhook.join(feed, true())
        .join(_PENDING, true())
        .join(_DUE, true())
        .join(_DEAD, true())
        .outerjoin(_OLDEST_MESSAGE, true())
        .outerjoin(_NEXT_CHANGE, true())
    ),
    distributed=_gathered(),
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Messages of all webhooks: what waits (`pending`, `due`, the oldest's age) counts only for those enabled.

    `oldest_seconds` is the age of the oldest change that was not sent yet, be there a message of it or not.
    """

    pending: int
    due: int
    dead: int
    oldest_seconds: float
    disabled_webhooks: int


async def read_backlog(connection: Connection) -> Backlog:
    """Count what waits to be sent; each count is over a part of an index."""
    row = await (await _BACKLOG.run(connection, await horizon_of(connection))).fetchone()
    assert row is not None  # noqa: S101  # an aggregate without GROUP BY gives one row
    pending, due, dead, seconds, disabled = row
    return Backlog(int(pending), int(due), int(dead), float(seconds), int(disabled))
