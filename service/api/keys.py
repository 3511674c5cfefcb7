"""Keys over HTTP, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from service.api import answers
from service.api.access import Administrator, Store
from service.api.key_examples import KEY_PREFIX
from service.api.parameters import PAGE_EVENTS, Cursor, Limit
from service.api.strict import StrictRoute
from service.store import keys
from service.store.cursor import Cursors
from service.wire.key import Key, KeyBody, KeyPage, KeyRotationBody, NewKey
from service.wire.key_text import PREFIX_PATTERN

router = APIRouter(tags=["Keys"], route_class=StrictRoute)

KeyName = Annotated[
    str, Path(max_length=20, pattern=PREFIX_PATTERN, description="A key's prefix.", examples=[KEY_PREFIX])
]
_UNKEPT = {"Cache-Control": "no-store"}


@router.get(
    "/keys",
    response_model=KeyPage,
    responses=answers.problems(400, 401, 403) | {200: {"description": "A page of keys.", **answers.headers("Link")}},
)
async def list_keys(
    request: Request, store: Store, _: Administrator, limit: Limit = PAGE_EVENTS, cursor: Cursor = None
) -> Response:
    """List the keys, revoked and expired ones too.

    What a key is, nobody can read again: only a hash of it is kept.
    """
    cursors = Cursors.of(await store.cursor_key(), "keys")
    (after,) = cursors.read(cursor, str) or (None,)
    async with store.read() as connection:
        items, end = await keys.list_keys(connection, after=after, limit=limit)
    following = cursors.write(None if end is None else (end,))
    page = KeyPage(items=items, next=following)
    return Response(page.model_dump_json(), 200, answers.next_header(request, following), answers.JSON)


@router.post(
    "/keys",
    status_code=201,
    response_model=NewKey,
    responses=answers.problems(400, 401, 403, 413, 415, 422)
    | {201: {"description": "Created.", **answers.headers("Location")}},
)
async def create_key(body: KeyBody, store: Store, caller: Administrator) -> Response:
    """Make a key.

    The `key` is shown in this answer alone. Give each client its own, with no more than it needs.
    """
    async with store.transaction() as connection:
        made, text = await keys.create_key(connection, body, caller.name)
    return _shown(made, text)


@router.get(
    "/keys/{key}",
    response_model=Key,
    responses=answers.problems(400, 401, 403, 404) | {200: {"description": "What is known of it."}},
)
async def get_key(key: KeyName, store: Store, _: Administrator) -> Response:
    """Read what is known of a key.

    That is: what it may do, until when, and when it was last used.
    """
    async with store.read() as connection:
        found = await keys.get_key(connection, key)
    return Response(found.model_dump_json(), 200, media_type=answers.JSON)


@router.post(
    "/keys/{key}/rotation",
    status_code=201,
    response_model=NewKey,
    responses=answers.problems(400, 401, 403, 404, 413, 415, 422)
    | {201: {"description": "Created.", **answers.headers("Location")}},
)
async def create_rotation(key: KeyName, body: KeyRotationBody, store: Store, caller: Administrator) -> Response:
    """Make a key that takes another's place; both are good for `overlap_seconds`.

    It may do what the other may. The `key` is shown in this answer alone.
    """
    async with store.transaction() as connection:
        made, text = await keys.rotate_key(connection, key, caller.name, overlap_seconds=body.overlap_seconds)
    return _shown(made, text)


@router.delete(
    "/keys/{key}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404) | {204: {"description": "It opens nothing any more."}},
)
async def delete_key(key: KeyName, store: Store, _: Administrator) -> Response:
    """Revoke a key, at once.

    It stays in the list, and in the histories that name it.
    """
    async with store.transaction() as connection:
        await keys.revoke_key(connection, key)
    return Response(status_code=204)


def _shown(made: Key, text: str) -> Response:
    shown = NewKey(**dict(made), key=text)
    headers = {"Location": f"/v1/keys/{made.prefix}"} | _UNKEPT
    return Response(shown.model_dump_json(), 201, headers, answers.JSON)
