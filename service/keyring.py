"""Keys from the command line, and the one that a service on this machine makes for its owner."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from service.errors import Unauthenticated
from service.store import keys
from service.store.audit import OPERATOR, record_command
from service.store.database import connected
from service.store.statement import Connection
from service.wire.key import Key, KeyBody

_Result = TypeVar("_Result")
_STATEMENT_TIMEOUT_SECONDS = 10.0
_PAGE_KEYS = 200
_LOCAL = "local"
LOCAL_KEY = "admin.key"


class LocalKey(NamedTuple):
    """The key of a service on this machine: where it is kept, and the key itself if it was made just now."""

    path: Path
    made: str | None


def in_days(days: int | None) -> str | None:
    """Give the instant so many days from now as a client writes it; None stays None."""
    return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def opens(key: Key) -> str:
    """Say what a key opens."""
    return f"{'+'.join(key.scopes)} {'all timelines' if key.timelines is None else ', '.join(key.timelines)}"


def describe(key: Key) -> str:
    """Say in a line whose a key is, what it opens, until when, and when it was used."""
    used = f"last used {key.last_used_at}" if key.last_used_at else "never used"
    ends = f"revoked {key.revoked_at}" if key.revoked_at else f"expires {key.expires_at or 'never'}"
    return f"{key.prefix}  {key.name}: {opens(key)}; {ends}; {used}"


def create(url: str, body: KeyBody) -> tuple[Key, str]:
    """Make a key, and give what is known of it and the key itself."""

    async def make(connection: Connection) -> tuple[Key, str]:
        made = await keys.create_key(connection, body, OPERATOR)
        await record_command(connection, "create_key", "/v1/keys", status=201)
        return made

    return asyncio.run(_inside(url, make))


def list_all(url: str) -> list[Key]:
    """List all keys, revoked and expired ones too."""

    async def read(connection: Connection) -> list[Key]:
        found: list[Key] = []
        after: str | None = ""
        while after is not None:
            some, after = await keys.list_keys(connection, after=after, limit=_PAGE_KEYS)
            found += some
        return found

    return asyncio.run(_inside(url, read))


def rotate(url: str, prefix: str, overlap_seconds: int) -> tuple[Key, str]:
    """Make a key that takes another's place, which ends after the overlap. Raises NotFound."""

    async def make(connection: Connection) -> tuple[Key, str]:
        made = await keys.rotate_key(connection, prefix, OPERATOR, overlap_seconds=overlap_seconds)
        await record_command(connection, "create_rotation", f"/v1/keys/{prefix}/rotation", status=201)
        return made

    return asyncio.run(_inside(url, make))


def revoke(url: str, prefix: str) -> None:
    """Have a key open nothing from now on. Raises NotFound."""

    async def end(connection: Connection) -> None:
        await keys.revoke_key(connection, prefix)
        await record_command(connection, "delete_key", f"/v1/keys/{prefix}", status=204)

    asyncio.run(_inside(url, end))


def ensure_local_key(url: str, folder: Path) -> LocalKey:
    """See that the owner of a folder has a key to the database that is kept there, readable by them alone.

    The key is made where there is none, or where the one that is there opens nothing; one that was lost is revoked.
    """
    path = folder / LOCAL_KEY

    async def ensure(connection: Connection) -> str | None:
        if path.exists():
            try:
                await keys.find_caller(connection, path.read_text(encoding="ascii").strip())
            except (Unauthenticated, UnicodeDecodeError):
                pass
            else:
                return None
        await keys.revoke_made_by(connection, _LOCAL)
        _, text = await keys.create_key(connection, KeyBody(name="this machine", scopes=["admin"]), _LOCAL)
        return text

    made = asyncio.run(_inside(url, ensure))
    if made is not None:
        _write_private(path, f"{made}\n")
    return LocalKey(path, made)


def _write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


async def _inside(url: str, act: Callable[[Connection], Awaitable[_Result]]) -> _Result:
    async with (
        connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database,
        database.transaction() as connection,
    ):
        return await act(connection)
