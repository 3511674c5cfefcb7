"""Webhooks over HTTP: where changes are sent, with which secrets, and what became of the messages."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from service.api import answers
from service.api.access import Store, Writer
from service.api.etag import IfMatch, IfNoneMatch, etag, expectation, is_known
from service.api.parameters import PAGE_EVENTS, Cursor, Limit, TimelineSlug
from service.api.strict import StrictRoute
from service.api.webhook_examples import DELIVERY_ID, SECRET_ID, WEBHOOK_ID
from service.api.writing import NOT_TO_BE_KEPT, RepeatableWrite, Write
from service.dates import format_instant
from service.delivery.addresses import is_public
from service.delivery.signature import new_key, shown_key
from service.errors import Invalid
from service.settings import Settings
from service.store import deliveries, webhooks
from service.store.cursor import Cursors
from service.store.deliveries import END, Tried
from service.store.position import Place, Position, write_place
from service.store.statement import Connection
from service.wire.endpoint import parse_endpoint
from service.wire.webhook import (
    CreatedSecret,
    CreatedWebhook,
    Delivery,
    DeliveryPage,
    DeliveryState,
    ReplayBody,
    RotationBody,
    Webhook,
    WebhookBody,
    WebhookPage,
    WebhookPatch,
)

router = APIRouter(tags=["Webhooks"], route_class=StrictRoute)

WebhookId = Annotated[UUID, Path(description="A webhook's identity.", examples=[WEBHOOK_ID])]
SecretId = Annotated[UUID, Path(description="A secret's identity.", examples=[SECRET_ID])]
DeliveryId = Annotated[UUID, Path(description="A message's `webhook-id`.", examples=[DELIVERY_ID])]

_WRITES = (400, 401, 403, 404, 412, 413, 415, 422)
# A secret is shown in one answer, which nobody on the way is to keep.
_UNKEPT = {"Cache-Control": NOT_TO_BE_KEPT}


def _check_address(request: Request, url: str | None) -> None:
    """Raise Invalid for an address that nothing is sent to; a name's addresses are looked at when it is sent to."""
    settings: Settings = request.app.state.settings
    address = None if url is None else parse_endpoint(url).address
    if address is not None and not settings.webhook_allow_private and not is_public(address):
        raise Invalid("has an address that is not of the public internet, and nothing is sent there", pointer="/url")


@router.get(
    "/timelines/{timeline}/webhooks",
    response_model=WebhookPage,
    responses=answers.problems(400, 401, 403, 404)
    | {200: {"description": "A page of webhooks.", **answers.headers("Link")}},
)
async def list_webhooks(
    request: Request,
    timeline: TimelineSlug,
    store: Store,
    caller: Writer,
    limit: Limit = PAGE_EVENTS,
    cursor: Cursor = None,
) -> Response:
    """List a timeline's webhooks, the oldest first.

    Like all that is about webhooks, it is for those who may write.
    """
    cursors = Cursors.of(await store.cursor_key(), "webhooks", timeline)
    (after,) = cursors.read(cursor, UUID) or (None,)
    async with store.read() as connection:
        items, end = await webhooks.list_webhooks(connection, timeline, caller, after=after, limit=limit)
    following = cursors.write(None if end is None else (end,))
    page = WebhookPage(items=items, next=following)
    return answers.listed(request, page)


@router.post(
    "/timelines/{timeline}/webhooks",
    status_code=201,
    response_model=CreatedWebhook,
    responses=answers.problems(400, 401, 403, 404, 409, 413, 415, 422)
    | {201: {"description": "Created.", **answers.headers("ETag", "Location")}},
)
async def create_webhook(
    request: Request, timeline: TimelineSlug, body: WebhookBody, write: RepeatableWrite
) -> Response:
    """Have what changes from now on sent to an address of yours, by Standard Webhooks 1.0.

    A message is a POST of `{"type": "event.created", "timestamp": …, "timeline": …, "data": …}`, where `data` is an
    item of the change feed. Its headers are `webhook-id`, `webhook-timestamp` (of this try) and `webhook-signature`:
    for each secret that signs, `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. The `secret` is shown in
    this answer alone.

    Any 2xx counts as taken, and 410 disables the webhook. Whatever else, a redirect included, is tried again: ten tries
    over about three days. Each change comes at least once, always with the same `webhook-id`. First tries begin in the
    order of the feed, several at the same time; to keep the order, compare `data.version` for an event.

    Nothing is sent to addresses outside of the public internet, unless the operator allows it.
    """
    _check_address(request, body.url)
    key = new_key()

    async def create(connection: Connection) -> Response:
        made = await webhooks.create_webhook(connection, timeline, body, write.caller, key)
        shown = CreatedWebhook(**dict(made), secret=shown_key(key))
        headers = {"Location": f"/v1/timelines/{timeline}/webhooks/{made.id}"} | _UNKEPT
        return answers.entry(shown, etag(made.version), status=201, headers=headers)

    return await write.do(create)


@router.get(
    "/timelines/{timeline}/webhooks/{webhook}",
    response_model=Webhook,
    responses=answers.problems(400, 401, 403, 404)
    | {200: {"description": "The webhook.", **answers.headers("ETag")}, 304: {"description": "You hold it already."}},
)
async def get_webhook(
    timeline: TimelineSlug, webhook: WebhookId, store: Store, caller: Writer, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a webhook.

    Of its secrets it says which there are and until when they sign; what they are was shown when they were made.
    """
    async with store.read() as connection:
        kept = await webhooks.get_webhook(connection, timeline, webhook, caller)
    if is_known(if_none_match, kept.answer.version):
        return answers.not_modified(etag(kept.answer.version))
    return answers.entry(kept.answer, etag(kept.answer.version))


@router.patch(
    "/timelines/{timeline}/webhooks/{webhook}",
    response_model=Webhook,
    responses=answers.problems(*_WRITES, 428) | {200: {"description": "Changed.", **answers.headers("ETag")}},
)
async def amend_webhook(
    request: Request,
    timeline: TimelineSlug,
    webhook: WebhookId,
    body: WebhookPatch,
    write: Write,
    if_match: IfMatch = None,
) -> Response:
    """Change a webhook by a JSON Merge Patch (RFC 7396): `null` takes a member back to its default.

    `"enabled": true` takes up a webhook that was disabled: what waited is tried at once, and all that happened since
    is sent.
    """
    _check_address(request, body.url)
    patch = body.model_dump(mode="json", exclude_unset=True)

    async def amend(connection: Connection) -> Response:
        made = await webhooks.amend_webhook(connection, timeline, webhook, patch, expectation(if_match), write.caller)
        return answers.entry(made, etag(made.version))

    return await write.do(amend)


@router.delete(
    "/timelines/{timeline}/webhooks/{webhook}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404, 412, 428) | {204: {"description": "Removed."}},
)
async def delete_webhook(
    timeline: TimelineSlug, webhook: WebhookId, write: Write, if_match: IfMatch = None
) -> Response:
    """Remove a webhook.

    Its secrets go, what waits to be sent, and the record of what was. To pause it, set `enabled` to `false`.
    """

    async def remove(connection: Connection) -> Response:
        await webhooks.remove_webhook(connection, timeline, webhook, expectation(if_match), write.caller)
        return Response(status_code=204)

    return await write.do(remove)


@router.post(
    "/timelines/{timeline}/webhooks/{webhook}/secrets",
    status_code=201,
    response_model=CreatedSecret,
    responses=answers.problems(*_WRITES, 409) | {201: {"description": "Created.", **answers.headers("ETag")}},
)
async def create_secret(
    timeline: TimelineSlug,
    webhook: WebhookId,
    body: RotationBody,
    write: RepeatableWrite,
    if_match: IfMatch = None,
) -> Response:
    """Make a new secret; those until now sign beside it for `grace_seconds`, so that no message is refused meanwhile.

    Teach your receiver the new one before that time is over. The `secret` is shown in this answer alone.
    """
    key = new_key()

    async def rotate(connection: Connection) -> Response:
        made, version = await webhooks.rotate_secret(
            connection, timeline, webhook, body, expectation(if_match), write.caller, key
        )
        shown = CreatedSecret(**dict(made), secret=shown_key(key))
        return answers.entry(shown, etag(version), status=201, headers=_UNKEPT)

    return await write.do(rotate)


@router.delete(
    "/timelines/{timeline}/webhooks/{webhook}/secrets/{secret}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404, 409, 412)
    | {204: {"description": "It signs no more.", **answers.headers("ETag")}},
)
async def delete_secret(
    timeline: TimelineSlug,
    webhook: WebhookId,
    secret: SecretId,
    write: Write,
    if_match: IfMatch = None,
) -> Response:
    """Have an old secret sign no more, at once.

    The newest stays, so that each message is signed.
    """

    async def remove(connection: Connection) -> Response:
        expected = expectation(if_match)
        version = await webhooks.remove_secret(connection, timeline, webhook, secret, expected, write.caller)
        return Response(status_code=204, headers={"ETag": etag(version)})

    return await write.do(remove)


@router.get(
    "/timelines/{timeline}/webhooks/{webhook}/deliveries",
    response_model=DeliveryPage,
    responses=answers.problems(400, 401, 403, 404)
    | {200: {"description": "A page of deliveries.", **answers.headers("Link")}},
)
async def list_deliveries(
    request: Request,
    timeline: TimelineSlug,
    webhook: WebhookId,
    store: Store,
    caller: Writer,
    state: Annotated[
        DeliveryState | None,
        Query(
            description="`pending`: on its way or to be tried again; `delivered`: taken by the receiver; `dead`: given "
            "up after ten tries. All when absent.",
            examples=["dead"],
        ),
    ] = None,
    limit: Limit = PAGE_EVENTS,
    cursor: Cursor = None,
) -> Response:
    """Read what became of the messages, the newest change first.

    `state=dead` lists what was given up. What was settled long ago is forgotten.
    """
    key = await store.cursor_key()
    cursors = Cursors.of(key, "deliveries", timeline, webhook, state)
    before = Position(*(cursors.read(cursor, int, int, int) or END))
    async with store.read() as connection:
        kept = await webhooks.get_webhook(connection, timeline, webhook, caller)
        items, end = await deliveries.list_deliveries(connection, timeline, webhook, state, before=before, limit=limit)
    following = cursors.write(end)
    page = DeliveryPage(
        items=[_delivery(key, timeline, kept.place.token, one) for one in items],
        next=following,
        reached=write_place(key, timeline, kept.place),
    )
    return answers.listed(request, page)


@router.post(
    "/timelines/{timeline}/webhooks/{webhook}/deliveries/{delivery}/retry",
    status_code=202,
    response_model=Delivery,
    responses=answers.problems(400, 401, 403, 404, 409, 422) | {202: {"description": "It is tried again."}},
)
async def create_retry(
    timeline: TimelineSlug, webhook: WebhookId, delivery: DeliveryId, store: Store, write: RepeatableWrite
) -> Response:
    """Have a message sent again, whatever became of it.

    It has ten tries anew, under the same `webhook-id`. While the webhook is disabled it waits.
    """
    key = await store.cursor_key()

    async def retry(connection: Connection) -> Response:
        kept = await webhooks.get_webhook(connection, timeline, webhook, write.caller)
        tried = await deliveries.retry_delivery(connection, timeline, webhook, delivery)
        shown = _delivery(key, timeline, kept.place.token, tried)
        return Response(shown.model_dump_json(), 202, media_type=answers.JSON)

    return await write.do(retry)


@router.post(
    "/timelines/{timeline}/webhooks/{webhook}/replay",
    status_code=202,
    response_model=Webhook,
    responses=answers.problems(*_WRITES, 409) | {202: {"description": "It begins.", **answers.headers("ETag")}},
)
async def create_replay(
    timeline: TimelineSlug,
    webhook: WebhookId,
    body: ReplayBody,
    store: Store,
    write: RepeatableWrite,
    if_match: IfMatch = None,
) -> Response:
    """Have all changes behind a cursor of the feed sent again, or all that are kept.

    A message that came before comes with the same `webhook-id`.
    """
    key = await store.cursor_key()

    async def replay(connection: Connection) -> Response:
        made = await webhooks.replay_webhook(
            connection, timeline, webhook, body.after, expectation(if_match), write.caller, key
        )
        return answers.entry(made, etag(made.version), status=202)

    return await write.do(replay)


def _delivery(key: bytes, timeline: str, token: UUID, tried: Tried) -> Delivery:
    return Delivery.model_validate(
        {
            "id": tried.delivery_id,
            "cursor": write_place(key, timeline, Place(token, tried.position)),
            "operation": tried.operation,
            "event": tried.event_id,
            "version": tried.event_version,
            "recorded_at": format_instant(tried.recorded_at),
            "state": tried.state,
            "tries": tried.tries,
            "tried_at": _when(tried.tried_at),
            "due_at": _when(tried.due_at),
            "settled_at": _when(tried.settled_at),
            "status": tried.status_code,
            "error": tried.error,
        }
    )


def _when(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)
