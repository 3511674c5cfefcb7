"""From the feed to each webhook: a message for every change that it is to be told of.

Each webhook has its own place in the feed, moved on in the transaction that makes the messages: a change makes one
message, whenever a process dies. Every statement is of one timeline, but for the one that asks where there is work.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import exists, literal_column, null, or_, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert

from service.errors import CursorOutlived
from service.store.adapters import At
from service.store.changes import Change, read_changes
from service.store.dispatch import NOW, WebhookKey, moment, timed
from service.store.feed_selection import HORIZON, horizon_of, up_to_horizon
from service.store.position import Place, Position
from service.store.query import owner
from service.store.statement import Connection, Statement, compiled, parameters
from service.store.webhooks import IS_WEBHOOK, disable_webhook, move_webhook, query_of
from service.tables import change, feed, timeline, webhook, webhook_delivery

# So many changes are looked at in one transaction.
BATCH_CHANGES = 500
OUTLIVED = "the database was restored, or the feed no longer holds what followed: enable it again to go on from there"

# The worker sends what whoever made the webhook may see.
_WORKER = owner("worker")

_WAITING: Statement = up_to_horizon(
    select(webhook.c.timeline_id, webhook.c.webhook_id)
    .select_from(webhook.join(feed, true()))
    .where(
        webhook.c.enabled,
        or_(
            webhook.c.token != feed.c.token,
            exists(
                select(literal_column("1")).where(
                    change.c.timeline_id == webhook.c.timeline_id,
                    tuple_(change.c.epoch, change.c.transaction_id, change.c.sequence)
                    > tuple_(webhook.c.epoch, webhook.c.transaction_id, webhook.c.sequence),
                    tuple_(change.c.epoch, change.c.transaction_id) < tuple_(feed.c.epoch, HORIZON),
                )
            ),
        ),
    )
)
# One that another worker is about is left to it.
_CLAIM: Statement = compiled(
    select(
        timeline.c.slug,
        webhook.c.operations,
        webhook.c.facets,
        webhook.c.token,
        webhook.c.epoch,
        webhook.c.transaction_id,
        webhook.c.sequence,
    )
    .join(timeline, timeline.c.timeline_id == webhook.c.timeline_id)
    .where(*IS_WEBHOOK, webhook.c.enabled)
    .with_for_update(of=webhook, skip_locked=True)
)
_CONSTANT: dict[str, Any] = {
    "state": literal_column("'pending'"),
    "tries": literal_column("0"),
    "lease": null(),
    "tried_at": null(),
    "settled_at": null(),
    "status_code": null(),
    "error": null(),
}
_inserted = insert(webhook_delivery).values(parameters(webhook_delivery) | _CONSTANT | {"due_at": NOW})
# A message that is there already is of a change that is replayed: it begins anew, under the same identity.
_INSERT: Statement = timed(
    _inserted.on_conflict_do_update(
        index_elements=["timeline_id", "webhook_id", "delivery_id"],
        set_=_CONSTANT | {"due_at": _inserted.excluded.due_at},
    )
)


async def list_waiting(connection: Connection) -> list[WebhookKey]:
    """List the webhooks that there are changes for, or that stand in another life of the database."""
    horizon = await horizon_of(connection)
    return [WebhookKey(*row) for row in await (await _WAITING.run(connection, horizon)).fetchall()]


async def fan_out(connection: Connection, key: WebhookKey, *, now: int | None = None) -> bool:
    """Make the messages of a webhook's next changes, inside a transaction; tell whether more are waiting.

    `now` is the time to go by, in microseconds since 1970; without it, the database's.
    """
    row = await (await _CLAIM.run(connection, key.values)).fetchone()
    if row is None:
        return False
    slug, operations, facets, token, *position = row
    try:
        feed_page = await read_changes(
            connection,
            query_of(slug, facets),
            _WORKER,
            after=Place(token, Position(*position)),
            limit=BATCH_CHANGES,
            documents=False,
        )
    except CursorOutlived:
        await disable_webhook(connection, key.values, OUTLIVED)
        return False
    told = [one for one in feed_page.items if one.operation in operations]
    time = await moment(connection, now)
    await _INSERT.run_many(connection, [_message(key, one) | time for one in told])
    await move_webhook(connection, key.values, feed_page.place(feed_page.end))
    return feed_page.has_more


def message_id(webhook_id: UUID, position: Position) -> UUID:
    """Give the identity of a change's message to a webhook: always the same (UUID version 5, RFC 9562)."""
    return uuid5(webhook_id, "/".join(map(str, position)))


def _message(key: WebhookKey, change: Change) -> dict[str, object]:
    return {
        **key.values,
        **change.position._asdict(),
        "delivery_id": message_id(key.webhook_id, change.position),
        "operation": change.operation,
        "event_id": change.event_id,
        "event_state": change.state,
        "event_version": change.version,
        "recorded_at": At(change.recorded_at),
    }
