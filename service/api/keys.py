"""Keys over HTTP, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from service.api import answers
from service.api.access import Administrator, Store
from service.api.key_examples import KEY_PREFIX
from service.api.parameters import PAGE_EVENTS, Cursor, Limit
from service.api.strict import StrictRoute
from service.api.writing import NOT_TO_BE_KEPT, AdministratorWrite, RepeatableAdministratorWrite
from service.store import keys
from service.store.cursor import Cursors
from service.store.statement import Connection
from service.wire.key import CreatedKey, Key, KeyBody, KeyPage, KeyRotationBody
from service.wire.key_text import PREFIX_PATTERN

router = APIRouter(tags=["Keys"], route_class=StrictRoute)

KeyName = Annotated[
    str, Path(max_length=20, pattern=PREFIX_PATTERN, description="A key's prefix.", examples=[KEY_PREFIX])
]
_UNKEPT = {"Cache-Control": NOT_TO_BE_KEPT}


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
    return answers.listed(request, page)


@router.post(
    "/keys",
    status_code=201,
    response_model=CreatedKey,
    responses=answers.problems(400, 401, 403, 409, 413, 415, 422)
    | {201: {"description": "Created.", **answers.headers("Location")}},
)
async def create_key(body: KeyBody, write: RepeatableAdministratorWrite) -> Response:
    """Make a key.

    The `key` is shown in this answer alone. Give each client its own, with no more than it needs. With `dry_run`, the
    key that is shown opens nothing.
    """

    async def create(connection: Connection) -> Response:
        return _shown(*await keys.create_key(connection, body, write.caller.name))

    return await write.do(create)


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
    response_model=CreatedKey,
    responses=answers.problems(400, 401, 403, 404, 409, 413, 415, 422)
    | {201: {"description": "Created.", **answers.headers("Location")}},
)
async def create_rotation(key: KeyName, body: KeyRotationBody, write: RepeatableAdministratorWrite) -> Response:
    """Make a key that takes another's place; both are good for `overlap_seconds`.

    It may do what the other may. The `key` is shown in this answer alone. With `dry_run`, that opens nothing.

    Leave an overlap where you rotate the key that you send: without one it is good no more, hence cannot ask again for
    an answer that was lost, and the new key is lost with that.
    """

    async def rotate(connection: Connection) -> Response:
        overlap = body.overlap_seconds
        return _shown(*await keys.rotate_key(connection, key, write.caller.name, overlap_seconds=overlap))

    return await write.do(rotate)


@router.delete(
    "/keys/{key}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404) | {204: {"description": "It opens nothing any more."}},
)
async def delete_key(key: KeyName, write: AdministratorWrite) -> Response:
    """Revoke a key, at once.

    It stays in the list, and in the histories that name it.
    """

    async def revoke(connection: Connection) -> Response:
        await keys.revoke_key(connection, key)
        return Response(status_code=204)

    return await write.do(revoke)


def _shown(made: Key, text: str) -> Response:
    shown = CreatedKey(**dict(made), key=text)
    headers = {"Location": f"/v1/keys/{made.prefix}"} | _UNKEPT
    return Response(shown.model_dump_json(), 201, headers, answers.JSON)
