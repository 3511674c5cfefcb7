"""How every write is done: in one transaction, committed before the answer, on trial if asked, once if it has a key.

An operation that writes says what it does with a connection, and what it answers then; `Writing.do` does the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response

from service.api.access import Store, Writer
from service.api.problems import InvalidParameters
from service.settings import Settings
from service.store.database import Database
from service.store.idempotency import KeptAnswer, Repeatable, begin, keep
from service.store.query import Caller
from service.store.statement import Connection

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MOST_KEY_CHARACTERS = 255

Work = Callable[[Connection], Awaitable[Response]]
DryRun = Annotated[
    bool,
    Query(
        description="Check everything and answer as if it were done, identities, versions and all, but write nothing.",
        examples=[True],
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=KEY_HEADER,
        min_length=1,
        max_length=MOST_KEY_CHARACTERS,
        pattern=r"^[\x20-\x7e]+$",
        description="A name of your own for this one write, such as a UUID. Sent again with the same request, it "
        "brings the first answer again and nothing is written twice: after a lost answer, repeat until you get one.",
        examples=["0b1f6f6e-6a0c-4c58-9a1f-3d7c2f0f5a11"],
    ),
]


class Writing:
    """A write that a request asks for: by whom, whether in earnest, and what makes it the same if it comes again."""

    def __init__(self, store: Database, caller: Caller, *, trial: bool, repeatable: Repeatable | None = None) -> None:
        self.caller = caller
        self._store = store
        self._trial = trial
        self._repeatable = None if trial else repeatable

    async def do(self, work: Work) -> Response:
        """Do the work and answer with what it gives, once that is committed; or answer again what it gave before.

        An answer is kept where the work was done. What is refused raises, writes nothing, and may be tried again.
        On trial, keys are neither asked nor kept.
        """
        async with self._store.transaction(trial=self._trial) as connection:
            if self._repeatable is None:
                return await work(connection)
            kept = await begin(connection, self._repeatable)
            if kept is not None:
                return _replayed(kept)
            answer = await work(connection)
            await keep(connection, self._repeatable, _kept(answer))
            return answer


async def writing(store: Store, caller: Writer, *, dry_run: DryRun = False) -> Writing:
    """Let a write through to those who may write."""
    return Writing(store, caller, trial=dry_run)


async def repeatable_writing(
    request: Request, store: Store, caller: Writer, *, dry_run: DryRun = False, key: IdempotencyKey = None
) -> Writing:
    """Let a write through that has no identity of its own, hence may bear a key. Raises InvalidParameters for two."""
    if len(request.headers.getlist(KEY_HEADER)) > 1:
        raise InvalidParameters({KEY_HEADER: "stands more than once"})
    return Writing(
        store, caller, trial=dry_run, repeatable=None if key is None else await _repeatable(request, caller, key)
    )


async def _repeatable(request: Request, caller: Caller, key: str) -> Repeatable:
    """Bind a key to the caller, the method and the path; what else was sent must be the same, byte by byte.

    Preconditions count for nothing: who repeats a write may have learned a newer version meanwhile.
    """
    settings: Settings = request.app.state.settings
    # the one place where a caller's identity is taken for its keys
    bound = [caller.name, request.method, request.scope["path"], key]
    sent = hashlib.sha256()
    for part in (request.headers.get("content-type", "").encode("latin-1"), request.scope["query_string"]):
        sent.update(b"%d:%b" % (len(part), part))
    sent.update(await request.body())
    return Repeatable(
        hashlib.sha256(json.dumps(bound).encode()).digest(), sent.digest(), settings.idempotency_retention_hours
    )


def _kept(answer: Response) -> KeptAnswer:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers]
    return KeptAnswer(answer.status_code, headers, bytes(answer.body))


def _replayed(kept: KeptAnswer) -> Response:
    return Response(kept.body, kept.status, {**dict(kept.headers), REPLAYED_HEADER: "true"})


Write = Annotated[Writing, Depends(writing)]
RepeatableWrite = Annotated[Writing, Depends(repeatable_writing)]
