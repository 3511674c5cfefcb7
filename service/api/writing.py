"""How every write is done: in one transaction, committed before the answer, on trial if asked, once if it has a key.

An operation that writes says what it does with a connection, and what it answers then; `Writing.do` does the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response

from service.api.access import Administrator, Contributor, Reader, Store, Writer
from service.api.freshness import position_header, tell_refused
from service.api.lock import Lock
from service.api.problems import InvalidParameters
from service.errors import Unavailable
from service.settings import Settings
from service.store.audit import Trace, record_trace
from service.store.database import Database
from service.store.idempotency import KeptAnswer, Repeatable, begin, keep
from service.store.query import Caller
from service.store.statement import Connection
from service.wire.key_text import MARK
from service.wire.values import PRINTABLE_PATTERN

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MOST_KEY_CHARACTERS = 255
# An answer that shows a secret bears this as its Cache-Control.
NOT_TO_BE_KEPT = "no-store"

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
        pattern=PRINTABLE_PATTERN,
        description="A name of your own for this one write, such as a UUID. Sent again with the same request, it "
        "brings the first answer again and nothing is written twice: after a lost answer, repeat until you get one.",
        examples=["0b1f6f6e-6a0c-4c58-9a1f-3d7c2f0f5a11"],
    ),
]


class Writing:
    """A write that a request asks for: by whom, whether in earnest, and under which key if it may come again."""

    def __init__(self, request: Request, store: Database, caller: Caller, *, trial: bool, key: str | None) -> None:
        self.caller = caller
        self._request = request
        self._store = store
        self._trial = trial
        self._key = None if trial else key

    async def do(self, work: Work, *, sent: bytes | None = None) -> Response:
        """Do the work and answer with what it gives, once that is committed; or answer again what it gave before.

        An answer is kept where the work was done, and so is who did it. What is refused raises, writes nothing, and may
        be tried again. On trial, keys are neither asked nor kept. `sent` is the SHA-256 of a body too long to be held.
        Either way the answer says by when what it tells of is to be read (`service.api.freshness`).
        """
        repeatable = None if self._key is None else await self._repeatable(self._key, sent)

        async def once(connection: Connection) -> Response:
            if repeatable is not None:
                kept = await begin(connection, repeatable)
                if kept is not None:
                    return self._replayed(kept)
            answer = await work(connection)
            if not self._trial:
                location = answer.headers.get("location")
                await record_trace(connection, self._trace(), status=answer.status_code, location=location)
            if repeatable is not None:
                await keep(connection, repeatable, self._kept(answer))
            return answer

        try:
            answer, position = await self._store.write(once, trial=self._trial)
        except Unavailable:
            raise
        except Exception:
            await tell_refused(self._request, self._store)
            raise
        answer.headers.update(await position_header(self._store, position))
        return answer

    def _trace(self) -> Trace:
        scope = self._request.scope
        return Trace(
            caller=self.caller.name,
            address=None if self._request.client is None else self._request.client.host,
            request_id=scope["state"]["request_id"],
            operation=scope["route"].name,
            path=scope["path"],
        )

    async def _repeatable(self, key: str, digest: bytes | None) -> Repeatable:
        """Bind a key to the caller, the method and the path; what else was sent must be the same, byte by byte.

        Preconditions count for nothing: who repeats a write may have learned a newer version meanwhile.
        """
        request = self._request
        settings: Settings = request.app.state.settings
        bound = [self.caller.name, request.method, request.scope["path"], key]
        sent = hashlib.sha256()
        for part in (request.headers.get("content-type", "").encode("latin-1"), request.scope["query_string"]):
            sent.update(b"%d:%b" % (len(part), part))
        sent.update(await request.body() if digest is None else digest)
        name = hashlib.sha256(json.dumps(bound).encode()).digest()
        return Repeatable(name, sent.digest(), settings.idempotency_retention_hours)

    def _kept(self, answer: Response) -> KeptAnswer:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers]
        body = bytes(answer.body)
        return KeptAnswer(answer.status_code, headers, self._lock().close(body) if _is_secret(dict(headers)) else body)

    def _replayed(self, kept: KeptAnswer) -> Response:
        headers = dict(kept.headers)
        body = self._lock().open(kept.body) if _is_secret(headers) else kept.body
        return Response(body, kept.status, {**headers, REPLAYED_HEADER: "true"})

    def _lock(self) -> Lock:
        """Give what locks an answer that tells a secret: only who repeats the request has what it takes to open it.

        That is the idempotency key and the key of the caller; a token is another one each time, and does not count.
        """
        credential = self._request.headers.get("authorization", "").rpartition(" ")[2]
        return Lock(str(self._key), credential if credential.startswith(MARK) else "")


def _is_secret(headers: Mapping[str, str]) -> bool:
    return headers.get("cache-control") == NOT_TO_BE_KEPT


@dataclass(frozen=True, slots=True)
class _Request:
    """What a request says of the write that it asks for, but for who asks."""

    request: Request
    store: Database
    trial: bool
    key: str | None = None

    def by(self, caller: Caller) -> Writing:
        return Writing(self.request, self.store, caller, trial=self.trial, key=self.key)


async def _asked(request: Request, store: Store, *, dry_run: DryRun = False) -> _Request:
    return _Request(request, store, dry_run)


async def _asked_once(
    request: Request, store: Store, *, dry_run: DryRun = False, idempotency_key: IdempotencyKey = None
) -> _Request:
    """Read a request that has no identity of its own, hence may bear a key. Raises InvalidParameters for two."""
    if len(request.headers.getlist(KEY_HEADER)) > 1:
        raise InvalidParameters({KEY_HEADER: "stands more than once"})
    return _Request(request, store, dry_run, idempotency_key)


_Asked = Annotated[_Request, Depends(_asked)]
_AskedOnce = Annotated[_Request, Depends(_asked_once)]


async def _by_writer(asked: _Asked, caller: Writer) -> Writing:
    return asked.by(caller)


async def _once_by_writer(asked: _AskedOnce, caller: Writer) -> Writing:
    return asked.by(caller)


async def _once_by_contributor(asked: _AskedOnce, caller: Contributor) -> Writing:
    return asked.by(caller)


async def _by_anyone(asked: _Asked, caller: Reader) -> Writing:
    return asked.by(caller)


async def _by_administrator(asked: _Asked, caller: Administrator) -> Writing:
    return asked.by(caller)


async def _once_by_administrator(asked: _AskedOnce, caller: Administrator) -> Writing:
    return asked.by(caller)


# By those who may write the timeline of the path; a POST by these; a POST that adds to what all timelines share, by
# whoever writes at all; by whoever the operation itself lets through; by administrators.
Write = Annotated[Writing, Depends(_by_writer)]
RepeatableWrite = Annotated[Writing, Depends(_once_by_writer)]
AddingWrite = Annotated[Writing, Depends(_once_by_contributor)]
UncheckedWrite = Annotated[Writing, Depends(_by_anyone)]
AdministratorWrite = Annotated[Writing, Depends(_by_administrator)]
RepeatableAdministratorWrite = Annotated[Writing, Depends(_once_by_administrator)]
