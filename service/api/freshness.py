"""Reading one's own writes (a session guarantee; Terry et al., 1994), where reads go to a replica that follows behind.

An answer to a write says in `Dateline-Position` how far the database had come. Who sends that along with a read sees
that write, and all before it: at the replica once it has come as far, else at the primary.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.dependencies.models import Dependant

from service.api.problems import ANSWER_HEADERS, InvalidParameters
from service.errors import InvalidCursor, ReplicaFailed, Unavailable
from service.store.database import Database
from service.store.replica import Readable, Reads, Replica
from service.store.wal import WalPosition, read_position, write_position

POSITION_HEADER = "Dateline-Position"
_SCHEMA = {"type": "string", "maxLength": 100, "pattern": "^[A-Za-z0-9_-]+$"}
POSITION = {
    "description": "How far the database had come: for reads from now on that are to see this. Absent where it was not "
    "asked, and on trial.",
    "schema": _SCHEMA,
    "example": "3VXDSKMMQmeNCkOgoAIdNwAAAAABnVqIJZ0Wc3xjUm0Yx6gGqNiGnA",
}
POSITION_PARAMETER = {
    "name": POSITION_HEADER,
    "in": "header",
    "required": False,
    "description": "How far what you read must have come at least: as the answer to a write of yours bore it.",
    "schema": {**_SCHEMA, "examples": [POSITION["example"]]},
}
_HAS_FAILED = "replica_has_failed"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def readable(request: Request) -> Readable:
    """Give what a request reads from. Raises InvalidParameters for a position that is none of this database."""
    store: Database = request.app.state.database
    replica: Replica | None = request.app.state.replica
    sent = request.headers.getlist(POSITION_HEADER)
    after = await _position(store, sent) if sent else None
    if replica is None or _HAS_FAILED in request.scope["state"]:
        return store
    return Reads(replica, after)


# What an operation reads from that takes what the replica has; all others read from the primary (`access.Store`).
ReadStore = Annotated[Readable, Depends(readable)]


def takes_position(dependant: Dependant) -> bool:
    """Tell whether an operation reads from what a position decides."""
    return any(one.call is readable or takes_position(one) for one in dependant.dependencies)


async def _position(store: Database, sent: list[str]) -> WalPosition:
    if len(sent) > 1:
        raise InvalidParameters({POSITION_HEADER: "stands more than once"})
    try:
        return read_position(await store.cursor_key(), sent[0])
    except InvalidCursor as error:
        raise InvalidParameters(
            {POSITION_HEADER: "is damaged, or of another service; send it as an answer bore it"}
        ) from error


async def position_header(store: Database, position: WalPosition | None) -> dict[str, str]:
    """Write a position as a header of an answer; none where it could not be told."""
    return {} if position is None else {POSITION_HEADER: write_position(await store.cursor_key(), position)}


async def tell_refused(request: Request, store: Database) -> None:
    """Have the refusal of a write bear a position: what stands in the way, who reads that now is to find."""
    with suppress(Unavailable):
        request.scope["state"][ANSWER_HEADERS] = await position_header(store, await store.written())


def once_more_at_the_primary(handle: Handler) -> Handler:
    """Handle a request anew, from the primary, where the replica fails at it before the answer begins."""

    async def handled(request: Request) -> Response:
        try:
            return await handle(request)
        except ReplicaFailed:
            request.scope["state"][_HAS_FAILED] = True
            return await handle(request)

    return handled
