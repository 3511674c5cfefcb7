"""Messages on their way: who takes which, what came of it, and what is forgotten.

A message is taken under a lease: until it ends no one else takes it, after it anyone may. What came of it is noted
only while the lease is still held. Every statement is of one webhook, but for those that ask where there is work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    SmallInteger,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from service.store.adapters import At
from service.store.changes import Change
from service.store.clock import read_now
from service.store.position import Place, Position
from service.store.selection import TIMELINE_ID
from service.store.statement import (
    Connection,
    ElementT,
    Row,
    Statement,
    compiled,
    is_distributed,
    with_given,
)
from service.store.webhooks import IS_WEBHOOK, WEBHOOK_ID, forget_expired_secrets
from service.tables import event_state, feed, timeline, webhook, webhook_delivery, webhook_secret

# So many old messages are forgotten in one statement.
BATCH_FORGOTTEN = 5_000

_INSTANT = DateTime(timezone=True)
# The time to go by: a worker's own if it says so, else the database's, which all workers share.
NOW: ColumnElement[Any] = func.coalesce(bindparam("now", type_=_INSTANT), func.now())


def timed(element: ElementT) -> Statement:
    """Compile a statement that has `NOW` in it; on a distributed PostgreSQL it takes it from `moment`."""
    return compiled(element, distributed=[with_given(element, NOW, "now")])


async def moment(connection: Connection, now: int | None) -> dict[str, object]:
    """Give the value that `NOW` takes; None has the database say."""
    if now is None and is_distributed(connection):
        now = await read_now(connection)
    return {"now": None if now is None else At(now)}


class WebhookKey(NamedTuple):
    """Which webhook."""

    timeline_id: UUID
    webhook_id: UUID

    @property
    def values(self) -> dict[str, object]:
        """Give the values that a statement takes it by."""
        return self._asdict()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that was taken, to be tried for the `tries`th time."""

    delivery_id: UUID
    tries: int
    change: Change


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one webhook that were taken together, in the order of the feed, and what sending them takes."""

    key: WebhookKey
    lease: UUID
    timeline: str
    url: str
    token: UUID
    secrets: tuple[bytes, ...]
    messages: tuple[Claimed, ...]

    def place(self, claimed: Claimed) -> Place:
        """Say where in the feed a message's change stands."""
        return Place(self.token, claimed.change.position)


_OF_WEBHOOK = (webhook_delivery.c.timeline_id == TIMELINE_ID, webhook_delivery.c.webhook_id == WEBHOOK_ID)
_ORDER = (webhook_delivery.c.epoch, webhook_delivery.c.transaction_id, webhook_delivery.c.sequence)
_HOLDS = (
    *_OF_WEBHOOK,
    webhook_delivery.c.delivery_id == bindparam("delivery_id", type_=webhook_delivery.c.delivery_id.type),
    webhook_delivery.c.lease == bindparam("lease", type_=webhook_delivery.c.lease.type),
)
_DELAY: ColumnElement[Any] = bindparam("delay", type_=Interval)
_CUTOFF: ColumnElement[Any] = NOW - bindparam("kept", type_=Interval)
_ONE: ColumnElement[Any] = literal_column("1")
_OF_THIS = (
    webhook_delivery.c.timeline_id == webhook.c.timeline_id,
    webhook_delivery.c.webhook_id == webhook.c.webhook_id,
)

_DUE: Statement = timed(
    select(webhook.c.timeline_id, webhook.c.webhook_id)
    .select_from(webhook.join(feed, true()))
    .where(
        webhook.c.enabled,
        webhook.c.token == feed.c.token,
        exists(select(_ONE).where(*_OF_THIS, webhook_delivery.c.due_at <= NOW)),
    )
)
_due = (
    select(webhook_delivery.c.delivery_id)
    .where(
        *_OF_WEBHOOK,
        webhook_delivery.c.due_at <= NOW,
        exists(select(_ONE).where(*IS_WEBHOOK, webhook.c.enabled)),
    )
    .order_by(webhook_delivery.c.due_at, *_ORDER)
    .limit(bindparam("count", type_=Integer))
    .with_for_update(of=webhook_delivery, skip_locked=True)
    .cte("due")
    .prefix_with("MATERIALIZED")
)
_CLAIM: Statement = timed(
    update(webhook_delivery)
    .where(*_OF_WEBHOOK, webhook_delivery.c.delivery_id == _due.c.delivery_id)
    .values(
        due_at=NOW + _DELAY,
        lease=bindparam("lease", type_=webhook_delivery.c.lease.type),
        tries=webhook_delivery.c.tries + _ONE,
        tried_at=NOW,
    )
    .returning(
        webhook_delivery.c.delivery_id,
        webhook_delivery.c.tries,
        *_ORDER,
        webhook_delivery.c.operation,
        webhook_delivery.c.event_id,
        webhook_delivery.c.event_state,
        webhook_delivery.c.event_version,
        webhook_delivery.c.recorded_at,
    )
)
_SIGNING = (
    select(func.array_agg(aggregate_order_by(webhook_secret.c.key, webhook_secret.c.created_at.desc())))
    .where(
        webhook_secret.c.timeline_id == webhook.c.timeline_id,
        webhook_secret.c.webhook_id == webhook.c.webhook_id,
        or_(webhook_secret.c.expires_at.is_(None), webhook_secret.c.expires_at > NOW),
    )
    .scalar_subquery()
)
_TARGET: Statement = timed(
    select(timeline.c.slug, webhook.c.url, webhook.c.token, _SIGNING)
    .join(timeline, timeline.c.timeline_id == webhook.c.timeline_id)
    .where(*IS_WEBHOOK)
)
_wanted = (
    func.unnest(
        bindparam("event_ids", type_=ARRAY(event_state.c.event_id.type)), bindparam("versions", type_=ARRAY(Integer))
    )
    .table_valued("event_id", "version", name="wanted")
    .render_derived()
)
_DOCUMENTS: Statement = compiled(
    select(event_state.c.event_id, event_state.c.version, event_state.c.document)
    .join(
        _wanted,
        and_(event_state.c.event_id == _wanted.c.event_id, event_state.c.version == _wanted.c.version),
    )
    .where(event_state.c.timeline_id == TIMELINE_ID)
)
_ANSWER = {
    "lease": null(),
    "status_code": bindparam("status_code", type_=SmallInteger),
    "error": bindparam("error", type_=Text),
}
_DELIVERED: Statement = timed(
    update(webhook_delivery)
    .where(*_HOLDS)
    .values(_ANSWER | {"state": literal_column("'delivered'"), "due_at": null(), "settled_at": NOW})
)
_DEAD: Statement = timed(
    update(webhook_delivery)
    .where(*_HOLDS)
    .values(_ANSWER | {"state": literal_column("'dead'"), "due_at": null(), "settled_at": NOW})
)
_FAILED: Statement = timed(update(webhook_delivery).where(*_HOLDS).values(_ANSWER | {"due_at": NOW + _DELAY}))
_RELEASE: Statement = timed(
    update(webhook_delivery).where(*_HOLDS).values(due_at=NOW, lease=null(), tries=webhook_delivery.c.tries - _ONE)
)
_OLD: Statement = timed(
    select(webhook.c.timeline_id, webhook.c.webhook_id).where(
        or_(
            exists(select(_ONE).where(*_OF_THIS, webhook_delivery.c.settled_at < _CUTOFF)),
            exists(
                select(_ONE).where(
                    webhook_secret.c.timeline_id == webhook.c.timeline_id,
                    webhook_secret.c.webhook_id == webhook.c.webhook_id,
                    webhook_secret.c.expires_at <= NOW,
                )
            ),
        )
    )
)
_forgotten = (
    select(webhook_delivery.c.delivery_id)
    .where(*_OF_WEBHOOK, webhook_delivery.c.settled_at < _CUTOFF)
    .limit(literal_column(str(BATCH_FORGOTTEN)))
    .cte("forgotten")
    .prefix_with("MATERIALIZED")
)
_FORGET: Statement = timed(
    delete(webhook_delivery).where(*_OF_WEBHOOK, webhook_delivery.c.delivery_id.in_(select(_forgotten.c.delivery_id)))
)


async def list_due(connection: Connection, *, now: int | None = None) -> list[WebhookKey]:
    """List the webhooks that messages are due for."""
    values = await moment(connection, now)
    return [WebhookKey(*row) for row in await (await _DUE.run(connection, values)).fetchall()]


async def claim_messages(
    connection: Connection,
    key: WebhookKey,
    *,
    count: int,
    lease: UUID,
    lease_seconds: float,
    now: int | None = None,
) -> Batch | None:
    """Take at most so many due messages of a webhook for so long, inside a transaction; None where there are none."""
    values = key.values | await moment(connection, now)
    claim = {"count": count, "lease": lease, "delay": timedelta(seconds=lease_seconds)}
    rows = await (await _CLAIM.run(connection, values | claim)).fetchall()
    target = await (await _TARGET.run(connection, values)).fetchone() if rows else None
    if target is None:
        return None
    found = await _DOCUMENTS.run(
        connection, values | {"event_ids": [row[6] for row in rows], "versions": [row[8] for row in rows]}
    )
    documents = {(row[0], row[1]): row[2] for row in await found.fetchall()}
    messages = [_claimed(row, documents.get((row[6], row[8]))) for row in rows]
    messages.sort(key=lambda one: one.change.position)
    slug, url, token, secrets = target
    return Batch(key, lease, slug, url, token, tuple(secrets or ()), tuple(messages))


async def note_delivered(
    connection: Connection, batch: Batch, claimed: Claimed, status: int | None, *, now: int | None = None
) -> None:
    """Note that a message has arrived."""
    await _DELIVERED.run(
        connection, await _held(connection, batch, claimed, now) | {"status_code": status, "error": None}
    )


async def note_failed(
    connection: Connection,
    batch: Batch,
    claimed: Claimed,
    *,
    status: int | None,
    error: str | None,
    delay_seconds: float | None,
    now: int | None = None,
) -> None:
    """Note that a try failed: it is tried again after the delay, or, where that is None, no more."""
    values = await _held(connection, batch, claimed, now) | {"status_code": status, "error": error}
    if delay_seconds is None:
        await _DEAD.run(connection, values)
    else:
        await _FAILED.run(connection, values | {"delay": timedelta(seconds=delay_seconds)})


async def release_message(connection: Connection, batch: Batch, claimed: Claimed, *, now: int | None = None) -> None:
    """Give a message back: whether it has arrived is not known, and another may try at once."""
    await _RELEASE.run(connection, await _held(connection, batch, claimed, now))


async def list_forgettable(connection: Connection, *, kept_days: float, now: int | None = None) -> list[WebhookKey]:
    """List the webhooks with messages settled longer ago than they are kept, or with secrets that expired."""
    values = await moment(connection, now) | {"kept": timedelta(days=kept_days)}
    return [WebhookKey(*row) for row in await (await _OLD.run(connection, values)).fetchall()]


async def forget(connection: Connection, key: WebhookKey, *, kept_days: float, now: int | None = None) -> None:
    """Forget a webhook's expired secrets, and some of its old messages, inside a transaction."""
    values = key.values | await moment(connection, now)
    await forget_expired_secrets(connection, key.values)
    await _FORGET.run(connection, values | {"kept": timedelta(days=kept_days)})


async def _held(connection: Connection, batch: Batch, claimed: Claimed, now: int | None) -> dict[str, object]:
    """Give the values that a message is told by, while it is held."""
    held = {"delivery_id": claimed.delivery_id, "lease": batch.lease}
    return batch.key.values | held | await moment(connection, now)


def _claimed(row: Row, document: bytes | None) -> Claimed:
    delivery_id, tries, epoch, transaction_id, sequence, operation, event_id, state, version, recorded_at = row
    position = Position(epoch, transaction_id, sequence)
    return Claimed(delivery_id, tries, Change(position, operation, event_id, state, version, recorded_at, document))
