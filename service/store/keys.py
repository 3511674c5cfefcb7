"""Keys: made, listed, rotated, revoked, and found by the hash of what was sent."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import psycopg
from sqlalchemy import ColumnElement, Interval, Text, and_, bindparam, func, insert, or_, select, update

from service.dates import format_instant, parse_instant
from service.errors import Invalid, NotFound, Unauthenticated
from service.store.adapters import At
from service.store.query import Caller
from service.store.statement import Connection, Row, Statement, compiled, parameters
from service.tables import api_key
from service.wire.key import Key, KeyBody
from service.wire.key_text import digest, new_key, prefix_of

logger = logging.getLogger("dateline.keys")

# So often, and no more, it is noted that a key was used.
_NOTED_EACH = timedelta(minutes=1)

_PREFIX: ColumnElement[Any] = bindparam("prefix", type_=Text(collation="C"))
_MEMBERS = tuple(Key.model_fields)
_COLUMNS = tuple(api_key.c[name] for name in _MEMBERS)
_INSTANTS = ("created_at", "expires_at", "revoked_at", "last_used_at")
_IS_GOOD = and_(
    api_key.c.revoked_at.is_(None), or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > func.clock_timestamp())
)
_IS_TO_BE_NOTED = or_(
    api_key.c.last_used_at.is_(None),
    api_key.c.last_used_at < func.now() - bindparam("noted_each", type_=Interval),
)
_FIND: Statement = compiled(
    select(
        api_key.c.prefix,
        api_key.c.scopes,
        api_key.c.timelines,
        _IS_GOOD,
        api_key.c.revoked_at.is_not(None),
        _IS_TO_BE_NOTED,
    ).where(api_key.c.hash == bindparam("hash", type_=api_key.c.hash.type))
)
_IS_GOOD_STILL: Statement = compiled(select(_IS_GOOD).where(api_key.c.prefix == _PREFIX))
# Of all who come at the same time one notes it, and none waits: a key that is just being revoked is locked.
_NOTE_USE: Statement = compiled(
    update(api_key)
    .where(
        api_key.c.prefix.in_(
            select(api_key.c.prefix)
            .where(api_key.c.prefix == _PREFIX, _IS_TO_BE_NOTED)
            .with_for_update(skip_locked=True)
        )
    )
    .values(last_used_at=func.now())
)
_INSERT: Statement = compiled(
    insert(api_key)
    .values(
        {name: value for name, value in parameters(api_key).items() if name not in {"revoked_at", "last_used_at"}}
        | {"created_at": func.now()}
    )
    .returning(*_COLUMNS)
)
_LIST: Statement = compiled(
    select(*_COLUMNS)
    .where(api_key.c.prefix > bindparam("after", type_=Text(collation="C")))
    .order_by(api_key.c.prefix)
    .limit(bindparam("limit"))
)
_GET: Statement = compiled(select(*_COLUMNS).where(api_key.c.prefix == _PREFIX))
_LOCK: Statement = compiled(select(*_COLUMNS).where(api_key.c.prefix == _PREFIX, _IS_GOOD).with_for_update())
# One that ends sooner already ends then.
_END: Statement = compiled(
    update(api_key)
    .where(api_key.c.prefix == _PREFIX)
    .values(
        expires_at=func.least(
            # it passes over a NULL
            api_key.c.expires_at,
            func.now() + bindparam("overlap", type_=Interval),
        )
    )
)
_REVOKE: Statement = compiled(
    update(api_key).where(api_key.c.prefix == _PREFIX, api_key.c.revoked_at.is_(None)).values(revoked_at=func.now())
)
_REVOKE_MADE_BY: Statement = compiled(
    update(api_key)
    .where(api_key.c.created_by == bindparam("made_by", type_=Text), api_key.c.revoked_at.is_(None))
    .values(revoked_at=func.now())
)


async def find_caller(connection: Connection, key: str) -> Caller:
    """Tell who sends this key, and note that it is used. Raises Unauthenticated for one that opens nothing."""
    row = await (await _FIND.run(connection, {"hash": digest(key), "noted_each": _NOTED_EACH})).fetchone()
    if row is None:
        raise Unauthenticated("the key is not known here")
    prefix, scopes, timelines, is_good, is_revoked, is_to_be_noted = row
    if not is_good:
        raise Unauthenticated("the key was revoked" if is_revoked else "the key has expired")
    if is_to_be_noted:
        await _note_use(connection, prefix)
    return Caller(
        name=prefix,
        timelines=None if timelines is None else frozenset(timelines),
        writes=not {"write", "admin"}.isdisjoint(scopes),
        administers="admin" in scopes,
    )


async def _note_use(connection: Connection, prefix: str) -> None:
    """Note that a key is used, if that can be: a database that takes no writes can still be read."""
    try:
        await _NOTE_USE.run(connection, {"prefix": prefix, "noted_each": _NOTED_EACH})
    except psycopg.DatabaseError as error:
        logger.info("the use of key %s could not be noted: %s", prefix, type(error).__name__)


async def is_good(connection: Connection, prefix: str) -> bool:
    """Tell whether a key still opens what it did."""
    row = await (await _IS_GOOD_STILL.run(connection, {"prefix": prefix})).fetchone()
    return bool(row and row[0])


async def create_key(connection: Connection, body: KeyBody, made_by: str) -> tuple[Key, str]:
    """Make a key, and give what is known of it and the key itself, which is not kept.

    Raises Invalid for one that would open nothing, by the database's clock, which says what it opens later.
    """
    made, text = await _insert(connection, body.model_dump(), made_by, new_key(), replaces=None)
    if made.expires_at is not None and parse_instant(made.expires_at) <= parse_instant(made.created_at):
        raise Invalid("must be to come", pointer="/expires_at")
    return made, text


async def list_keys(connection: Connection, *, after: str | None, limit: int) -> tuple[list[Key], str | None]:
    """Read at most `limit` keys after a prefix, revoked ones too, and the last prefix if more follow."""
    rows = await (await _LIST.run(connection, {"after": after or "", "limit": limit + 1})).fetchall()
    keys = [_key(row) for row in rows[:limit]]
    return keys, keys[-1].prefix if len(rows) > limit else None


async def get_key(connection: Connection, prefix: str) -> Key:
    """Read what is known of a key. Raises NotFound."""
    return _found(prefix, await (await _GET.run(connection, {"prefix": prefix})).fetchone())


async def rotate_key(connection: Connection, prefix: str, made_by: str, *, overlap_seconds: int) -> tuple[Key, str]:
    """Make a key like another, which ends after the overlap. Raises NotFound for one that opens nothing any more."""
    former = _found(prefix, await (await _LOCK.run(connection, {"prefix": prefix})).fetchone())
    await _END.run(connection, {"prefix": prefix, "overlap": timedelta(seconds=overlap_seconds)})
    return await _insert(connection, former.model_dump(), made_by, new_key(), replaces=prefix)


async def revoke_key(connection: Connection, prefix: str) -> None:
    """Have a key open nothing from now on; one that was revoked stays so. Raises NotFound."""
    await get_key(connection, prefix)
    await _REVOKE.run(connection, {"prefix": prefix})


async def revoke_made_by(connection: Connection, made_by: str) -> None:
    """Revoke all keys of one maker."""
    await _REVOKE_MADE_BY.run(connection, {"made_by": made_by})


async def _insert(
    connection: Connection, like: dict[str, Any], made_by: str, text: str, *, replaces: str | None
) -> tuple[Key, str]:
    prefix, expires_at = prefix_of(text), like["expires_at"]
    if prefix is None:
        raise ValueError("no key is written so")
    values = {
        "prefix": prefix,
        "hash": digest(text),
        "name": like["name"],
        "scopes": sorted(set(like["scopes"])),
        "timelines": None if like["timelines"] is None else sorted(set(like["timelines"])),
        "created_by": made_by,
        "expires_at": None if expires_at is None else At(parse_instant(expires_at)),
        "replaces": replaces,
    }
    row = await (await _INSERT.run(connection, values)).fetchone()
    return _found(prefix, row), text


def _found(prefix: str, row: Row | None) -> Key:
    if row is None:
        raise NotFound(f"no key {prefix}, or none that opens anything")
    return _key(row)


def _key(row: Row) -> Key:
    members = dict(zip(_MEMBERS, row, strict=True))
    for name in _INSTANTS:
        members[name] = None if members[name] is None else format_instant(members[name])
    return Key.model_validate(members)
