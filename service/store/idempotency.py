"""Writes that are done once, however often they are asked for: each answer is kept in the write's own transaction.

Whoever comes first holds a lock until the transaction ends, and whoever comes meanwhile is told so at once: nobody
waits with a connection in hand. After it, the answer is there to be given again, or the write did not happen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    LargeBinary,
    Text,
    bindparam,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from service.errors import InFlight, KeyReused
from service.store.database import Database
from service.store.statement import Connection, Statement, compiled, parameters
from service.tables import kept_answer

BATCH_ANSWERS = 1_000


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that may come again: `digest` names it, `fingerprint` is what it must be to count as the same.

    Both are SHA-256. An answer is given again for `kept_hours`.
    """

    digest: bytes
    fingerprint: bytes
    kept_hours: float

    @property
    def lock(self) -> int:
        """Give the digest's first 64 bits, as PostgreSQL's advisory locks are numbered."""
        return int.from_bytes(self.digest[:8], signed=True)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was sent: its status, its headers in order, its body."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


_DIGEST = bindparam("digest", type_=LargeBinary)
_KEPT: ColumnElement[Any] = bindparam("kept", type_=Interval)
_LOCK: Statement = compiled(select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger))))
_READ: Statement = compiled(
    select(kept_answer.c.fingerprint, kept_answer.c.status, kept_answer.c.headers, kept_answer.c.body).where(
        kept_answer.c.digest == _DIGEST, kept_answer.c.created_at > func.now() - _KEPT
    )
)
_inserted = insert(kept_answer).values(parameters(kept_answer) | {"created_at": func.now()})
# what is there already is older than answers are kept, or it would have been given again
_KEEP: Statement = compiled(
    _inserted.on_conflict_do_update(
        index_elements=["digest"],
        set_={name: _inserted.excluded[name] for name in ("fingerprint", "status", "headers", "body", "created_at")},
    )
)
_IS_OLD = kept_answer.c.created_at <= func.now() - _KEPT
_LIST_OLD: Statement = compiled(
    select(kept_answer.c.digest)
    .where(_IS_OLD)
    .order_by(kept_answer.c.created_at)
    .limit(bindparam("limit", type_=Integer))
)
_SWEEP: Statement = compiled(
    delete(kept_answer).where(kept_answer.c.digest == func.any(bindparam("digests", type_=ARRAY(LargeBinary))), _IS_OLD)
)
_TOLD = bindparam("told", type_=Text)
_FORGET: Statement = compiled(
    delete(kept_answer).where(
        or_(
            func.position(func.convert_to(_TOLD, "UTF8").op("IN")(kept_answer.c.body)) > 0,
            func.strpos(kept_answer.c.headers, _TOLD) > 0,
        )
    )
)


async def begin(connection: Connection, request: Repeatable) -> KeptAnswer | None:
    """Begin a write that is done once, inside its transaction; give the answer if it was done already.

    Two statements, since one sees what was committed before it began, and the lock may have become free just then.

    Raises InFlight while the same request is under way elsewhere, KeyReused where the key stands for another one.
    """
    locked = await (await _LOCK.run(connection, {"lock": request.lock})).fetchone()
    if not (locked and locked[0]):
        raise InFlight("a request with this Idempotency-Key is under way; repeat it in a moment, for its answer")
    values = {"digest": request.digest, "kept": timedelta(hours=request.kept_hours)}
    row = await (await _READ.run(connection, values)).fetchone()
    if row is None:
        return None
    fingerprint, status, headers, body = row
    if fingerprint != request.fingerprint:
        raise KeyReused("this Idempotency-Key was sent before, with another request; a new request needs a new key")
    return KeptAnswer(status, [(name, value) for name, value in json.loads(headers)], body)


async def keep(connection: Connection, request: Repeatable, answer: KeptAnswer) -> None:
    """Keep the answer to a write, inside its transaction, after `begin`."""
    values: dict[str, object] = {
        "digest": request.digest,
        "fingerprint": request.fingerprint,
        "status": answer.status,
        "headers": json.dumps(list(answer.headers)),
        "body": answer.body,
    }
    await _KEEP.run(connection, values)


async def sweep_answers(database: Database, *, kept_hours: float) -> int:
    """Forget the answers that are kept no longer; say how many. Several processes may sweep at once."""
    kept = timedelta(hours=kept_hours)
    swept = 0
    while True:
        async with database.read() as connection:
            rows = await (await _LIST_OLD.run(connection, {"kept": kept, "limit": BATCH_ANSWERS})).fetchall()
            if not rows:
                return swept
            gone = await _SWEEP.run(connection, {"kept": kept, "digests": [row[0] for row in rows]})
            swept += gone.rowcount


async def forget_answers(connection: Connection, event_id: UUID) -> None:
    """Forget every answer that tells of an event, which is removed for good. It looks at each answer that is kept."""
    await _FORGET.run(connection, {"told": str(event_id)})
