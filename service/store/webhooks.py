"""Webhooks: read them, make and change them, rotate their secrets, send them back to an earlier place in the feed.

Whoever calls these may write: the address of a webhook may hold a secret of its receiver's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    Select,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from service.dates import DISTANT_FUTURE, format_instant
from service.errors import CursorOutlived, InUse, Invalid, InvalidCursor, NotFound
from service.store.changes import read_changes
from service.store.expectation import Expectation
from service.store.position import Place, Position, read_place
from service.store.query import FACETS, Caller, EventQuery, timeline_id_of
from service.store.record import new_id
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Row, Statement, compiled, parameters
from service.store.timelines import check_timeline
from service.tables import timeline, webhook, webhook_delivery, webhook_secret
from service.wire.merge import amended
from service.wire.webhook import RotationBody, Secret, Webhook, WebhookBody, WebhookFilter

MOST_SECRETS = 10
BY_REQUEST = "disabled on request"

WEBHOOK_ID: ColumnElement[Any] = bindparam("webhook_id", type_=webhook.c.webhook_id.type)
IS_WEBHOOK = (webhook.c.timeline_id == TIMELINE_ID, webhook.c.webhook_id == WEBHOOK_ID)
_IS_SECRETS = (webhook_secret.c.timeline_id == TIMELINE_ID, webhook_secret.c.webhook_id == WEBHOOK_ID)
_SECRET_ID: ColumnElement[Any] = bindparam("secret_id", type_=webhook_secret.c.secret_id.type)
_NEXT_VERSION = webhook.c.version + literal_column("1")


def _secrets(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Gather a column of a webhook's secrets, the oldest first."""
    order = aggregate_order_by(column, webhook_secret.c.created_at, webhook_secret.c.secret_id)
    return (
        select(func.array_agg(order))
        .where(
            webhook_secret.c.timeline_id == webhook.c.timeline_id, webhook_secret.c.webhook_id == webhook.c.webhook_id
        )
        .scalar_subquery()
    )


_CHOSEN: Select[Any] = select(
    webhook.c.webhook_id,
    timeline.c.slug,
    webhook.c.url,
    webhook.c.description,
    webhook.c.operations,
    webhook.c.facets,
    webhook.c.enabled,
    webhook.c.disabled_reason,
    webhook.c.version,
    webhook.c.created_at,
    _secrets(webhook_secret.c.secret_id),
    _secrets(webhook_secret.c.created_at),
    _secrets(webhook_secret.c.expires_at),
    webhook.c.token,
    webhook.c.epoch,
    webhook.c.transaction_id,
    webhook.c.sequence,
).join(timeline, timeline.c.timeline_id == webhook.c.timeline_id)
_GET: Statement = compiled(_CHOSEN.where(*IS_WEBHOOK))
_LOCK: Statement = compiled(
    _CHOSEN.where(*IS_WEBHOOK).with_for_update(of=webhook),
    distributed=[select(webhook.c.version).where(*IS_WEBHOOK).with_for_update(), _CHOSEN.where(*IS_WEBHOOK)],
)
_LIST: Statement = compiled(
    _CHOSEN.where(
        webhook.c.timeline_id == TIMELINE_ID,
        webhook.c.webhook_id > bindparam("after", type_=webhook.c.webhook_id.type),
    )
    .order_by(webhook.c.webhook_id)
    .limit(bindparam("limit", type_=Integer))
)
_VALUES = parameters(webhook) | {"created_at": func.now()}
_INSERT: Statement = compiled(insert(webhook).values(_VALUES))
_WRITTEN = ("url", "description", "operations", "facets", "enabled", "disabled_reason")
_UPDATE: Statement = compiled(
    update(webhook).where(*IS_WEBHOOK).values({name: _VALUES[name] for name in _WRITTEN} | {"version": _NEXT_VERSION})
)
_BUMP: Statement = compiled(update(webhook).where(*IS_WEBHOOK).values(version=_NEXT_VERSION))
_MOVE: Statement = compiled(
    update(webhook)
    .where(*IS_WEBHOOK)
    .values(
        token=bindparam("token", type_=webhook.c.token.type),
        epoch=bindparam("epoch", type_=Integer),
        transaction_id=bindparam("transaction_id", type_=BigInteger),
        sequence=bindparam("sequence", type_=BigInteger),
    )
)
_DISABLE: Statement = compiled(
    update(webhook)
    .where(*IS_WEBHOOK, webhook.c.enabled, webhook.c.url == func.coalesce(bindparam("told", type_=Text), webhook.c.url))
    .values(enabled=False, disabled_reason=_VALUES["disabled_reason"], version=_NEXT_VERSION)
)
_RESUME_DELIVERIES: Statement = compiled(
    update(webhook_delivery)
    .where(
        webhook_delivery.c.timeline_id == TIMELINE_ID,
        webhook_delivery.c.webhook_id == WEBHOOK_ID,
        webhook_delivery.c.state == "pending",
        webhook_delivery.c.lease.is_(None),
    )
    .values(due_at=func.now(), tries=literal_column("0"))
)
_DELETE: Statement = compiled(delete(webhook).where(*IS_WEBHOOK))
_INSERT_SECRET: Statement = compiled(
    insert(webhook_secret).values(parameters(webhook_secret) | {"created_at": func.now(), "expires_at": null()})
)
_FORGET_EXPIRED: Statement = compiled(
    delete(webhook_secret).where(*_IS_SECRETS, webhook_secret.c.expires_at <= func.now())
)
_EXPIRE: Statement = compiled(
    update(webhook_secret)
    .where(*_IS_SECRETS)
    .values(expires_at=func.least(webhook_secret.c.expires_at, func.now() + bindparam("grace", type_=Interval)))
)
_COUNT_SECRETS: Statement = compiled(select(func.count()).select_from(webhook_secret).where(*_IS_SECRETS))
_DELETE_SECRET: Statement = compiled(
    delete(webhook_secret).where(*_IS_SECRETS, webhook_secret.c.secret_id == _SECRET_ID)
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A webhook as it stands: what a client reads, and how far the feed was read for it."""

    answer: Webhook
    place: Place


async def list_webhooks(
    connection: Connection, timeline_slug: str, caller: Caller, *, after: UUID | None, limit: int
) -> tuple[list[Webhook], UUID | None]:
    """Read at most `limit` webhooks of a timeline, the oldest first, and the last one's identity if more follow."""
    await check_timeline(connection, timeline_slug, caller)
    values = {"timeline_id": timeline_id_of(timeline_slug), "after": after or UUID(int=0), "limit": limit + 1}
    rows = await (await _LIST.run(connection, values)).fetchall()
    items = [_kept(row).answer for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


async def get_webhook(connection: Connection, timeline_slug: str, webhook_id: UUID, caller: Caller) -> Kept:
    """Read a webhook. Raises NotFound."""
    return await _read_one(connection, _GET, timeline_slug, webhook_id, caller)


async def create_webhook(
    connection: Connection, timeline_slug: str, body: WebhookBody, caller: Caller, key: bytes
) -> Webhook:
    """Make a webhook that is told of what happens from now on, signed with `key`."""
    feed = await read_changes(connection, EventQuery(timeline_slug), caller, after="latest", limit=1, documents=False)
    webhook_id = new_id()
    values = _key(timeline_slug, webhook_id) | _written(body)
    await _INSERT.run(connection, values | {"version": 1, "token": feed.token, **feed.latest._asdict()})
    await _add_secret(connection, values, key)
    return (await get_webhook(connection, timeline_slug, webhook_id, caller)).answer


async def amend_webhook(
    connection: Connection,
    timeline_slug: str,
    webhook_id: UUID,
    patch: dict[str, Any],
    expected: Expectation,
    caller: Caller,
) -> Webhook:
    """Change a webhook by a merge patch (RFC 7396); one that is enabled again goes on where it had come to.

    Raises NotFound, VersionConflict, VersionRequired, and InvalidMerge where the result is no webhook.
    """
    kept = await _lock_expected(connection, timeline_slug, webhook_id, expected, caller)
    before = kept.answer.model_dump(mode="json", include=set(WebhookBody.model_fields))
    body = amended(WebhookBody, before, patch)
    values = _key(timeline_slug, webhook_id) | _written(body)
    if not body.enabled and not kept.answer.enabled:
        values["disabled_reason"] = kept.answer.disabled_reason
    await _UPDATE.run(connection, values)
    if body.enabled and not kept.answer.enabled:
        feed = await read_changes(
            connection, EventQuery(timeline_slug), caller, after="latest", limit=1, documents=False
        )
        await move_webhook(connection, values, Place(feed.token, max(kept.place.position, feed.oldest)))
        await _RESUME_DELIVERIES.run(connection, values)
    return (await get_webhook(connection, timeline_slug, webhook_id, caller)).answer


async def remove_webhook(
    connection: Connection, timeline_slug: str, webhook_id: UUID, expected: Expectation, caller: Caller
) -> None:
    """Remove a webhook, with its secrets and deliveries."""
    await _lock_expected(connection, timeline_slug, webhook_id, expected, caller)
    await _DELETE.run(connection, _key(timeline_slug, webhook_id))


async def disable_webhook(
    connection: Connection, key: dict[str, object], reason: str, *, url: str | None = None
) -> bool:
    """Send nothing more to a webhook until a client enables it again; tell whether it was enabled.

    With `url`, only while that is where it leads: what is wrong with a former address says nothing of the present one.
    """
    return (await _DISABLE.run(connection, key | {"disabled_reason": reason, "told": url})).rowcount > 0


async def move_webhook(connection: Connection, key: dict[str, Any], place: Place) -> None:
    """Note how far the feed was read for a webhook."""
    await _MOVE.run(connection, key | {"token": place.token, **place.position._asdict()})


async def forget_expired_secrets(connection: Connection, key: dict[str, Any]) -> None:
    """Forget the secrets that sign no more."""
    await _LOCK.run(connection, key)
    if (await _FORGET_EXPIRED.run(connection, key)).rowcount:
        await _BUMP.run(connection, key)


async def rotate_secret(
    connection: Connection,
    timeline_slug: str,
    webhook_id: UUID,
    body: RotationBody,
    expected: Expectation,
    caller: Caller,
    key: bytes,
) -> tuple[Secret, int]:
    """Add a secret; those until now sign for some time more. Give it and the webhook's version.

    Raises Invalid where too many sign already.
    """
    await _lock_expected(connection, timeline_slug, webhook_id, expected, caller, required=False)
    values = _key(timeline_slug, webhook_id)
    await _EXPIRE.run(connection, values | {"grace": timedelta(seconds=body.grace_seconds)})
    await _FORGET_EXPIRED.run(connection, values)
    row = await (await _COUNT_SECRETS.run(connection, values)).fetchone()
    if row is not None and row[0] >= MOST_SECRETS:
        raise Invalid(
            f"{MOST_SECRETS} secrets sign already: remove one, or shorten their time", pointer="/grace_seconds"
        )
    secret_id = await _add_secret(connection, values, key)
    await _BUMP.run(connection, values)
    answer = (await get_webhook(connection, timeline_slug, webhook_id, caller)).answer
    return next(one for one in answer.secrets if one.id == secret_id), answer.version


async def remove_secret(
    connection: Connection,
    timeline_slug: str,
    webhook_id: UUID,
    secret_id: UUID,
    expected: Expectation,
    caller: Caller,
) -> int:
    """Have an old secret sign no more, and give the webhook's version. Raises NotFound, and InUse for the newest."""
    kept = await _lock_expected(connection, timeline_slug, webhook_id, expected, caller, required=False)
    found = next((one for one in kept.answer.secrets if one.id == secret_id), None)
    if found is None:
        raise NotFound(f"no secret {secret_id} of webhook {webhook_id}")
    if found.expires_at is None:
        raise InUse("it is the newest secret, which signs: make another first")
    values = _key(timeline_slug, webhook_id) | {"secret_id": secret_id}
    await _DELETE_SECRET.run(connection, values)
    await _BUMP.run(connection, values)
    return kept.answer.version + 1


async def replay_webhook(
    connection: Connection,
    timeline_slug: str,
    webhook_id: UUID,
    cursor: str | None,
    expected: Expectation,
    caller: Caller,
    cursor_key: bytes,
) -> Webhook:
    """Send a webhook back to an earlier place in the feed, so that all changes from there on are sent again.

    Raises Invalid for what is no cursor of this timeline's feed, and for one that changes are missing behind.
    """
    kept = await _lock_expected(connection, timeline_slug, webhook_id, expected, caller, required=False)
    try:
        after = None if cursor is None else read_place(cursor_key, timeline_slug, cursor)
        feed = await read_changes(connection, EventQuery(timeline_slug), caller, after=after, limit=1, documents=False)
    except (InvalidCursor, CursorOutlived) as error:
        raise Invalid(str(error), pointer="/after") from error
    place = Place(feed.token, feed.oldest if after is None else after.position)
    await move_webhook(connection, _key(timeline_slug, webhook_id), place)
    return kept.answer


def query_of(timeline_slug: str, facets: list[str]) -> EventQuery:
    """Make the query of a webhook's filter, of how the store keeps it."""
    return EventQuery(timeline_slug, facets={name: tuple(values) for name, values in _by_name(facets).items()})


async def _read_one(
    connection: Connection, statement: Statement, timeline_slug: str, webhook_id: UUID, caller: Caller
) -> Kept:
    await check_timeline(connection, timeline_slug, caller)
    row = await (await statement.run(connection, _key(timeline_slug, webhook_id))).fetchone()
    if row is None:
        raise NotFound(f"no webhook {webhook_id} of timeline {timeline_slug!r}")
    return _kept(row)


async def _lock_expected(
    connection: Connection,
    timeline_slug: str,
    webhook_id: UUID,
    expected: Expectation,
    caller: Caller,
    *,
    required: bool = True,
) -> Kept:
    kept = await _read_one(connection, _LOCK, timeline_slug, webhook_id, caller)
    expected.check_present(kept.answer.version, kept.answer.model_dump_json().encode(), required=required)
    return kept


async def _add_secret(connection: Connection, values: dict[str, Any], key: bytes) -> UUID:
    secret_id = new_id()
    await _INSERT_SECRET.run(connection, values | {"secret_id": secret_id, "key": key})
    return secret_id


def _key(timeline_slug: str, webhook_id: UUID) -> dict[str, Any]:
    return {"timeline_id": timeline_id_of(timeline_slug), "webhook_id": webhook_id}


def _written(body: WebhookBody) -> dict[str, Any]:
    facets = [f"{name}:{value}" for name in FACETS for value in sorted(set(getattr(body.filter, name)))]
    return {
        "url": body.url,
        "description": body.description,
        "operations": list(dict.fromkeys(body.operations)),
        "facets": facets,
        "enabled": body.enabled,
        "disabled_reason": None if body.enabled else BY_REQUEST,
    }


def _by_name(facets: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in facets:
        name, _, value = one.partition(":")
        found.setdefault(name, []).append(value)
    return found


def _kept(row: Row) -> Kept:
    webhook_id, slug, url, description, operations, facets, enabled, reason, version, created_at = row[:10]
    secrets = [
        Secret(
            id=secret_id,
            created_at=str(format_instant(made)),
            expires_at=None if until in (None, DISTANT_FUTURE) else format_instant(until),
        )
        for secret_id, made, until in zip(*row[10:13], strict=True)
    ]
    answer = Webhook(
        id=webhook_id,
        timeline=slug,
        url=url,
        description=description,
        operations=operations,
        filter=WebhookFilter.model_validate({name: [] for name in FACETS} | _by_name(facets)),
        enabled=enabled,
        disabled_reason=reason,
        secrets=secrets,
        version=version,
        created_at=str(format_instant(created_at)),
    )
    token, *position = row[13:]
    return Kept(answer, Place(token, Position(*position)))
