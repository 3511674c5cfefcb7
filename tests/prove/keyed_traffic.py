"""Clients that write safely: each write is repeated, under the same key or version, until it is answered.

Every writer has events of its own, so that it knows what each answer must be, and what a refusal of a repetition tells.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from tests.prove.ledger import Acknowledged, Content, State

TIMELINE, SOURCE = "killed", "witness"
EVENTS = f"/v1/timelines/{TIMELINE}/events"
PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 60
PATIENCE_SECONDS = 120
FEWEST_EVENTS = 5


class Kind(StrEnum):
    """What a writer does."""

    CREATE = "create"
    CLAIM = "claim"
    AMEND = "amend"
    DELETE = "delete"
    BATCH = "batch"


SHARES = {Kind.CREATE: 25, Kind.CLAIM: 20, Kind.AMEND: 30, Kind.DELETE: 10, Kind.BATCH: 15}
DONE = {Kind.CREATE: 201, Kind.CLAIM: 201, Kind.AMEND: 200, Kind.DELETE: 204, Kind.BATCH: 200}


class ContradictionError(AssertionError):
    """Say that an answer is not what the writes so far allow."""


@dataclass
class Record:
    """What came of all writers: what was acknowledged, how often what was answered, and when something succeeded."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    # of what was sent last and done: when it was sent, and when its answer came
    success: tuple[float, float] = (0.0, 0.0)
    is_given_up: bool = False  # whether nobody waits any more for what is in doubt
    repeated: int = 0  # writes that were acknowledged only when they were repeated


class Writers:
    """So many writers, who talk to wherever `base` says, in a thread of their own."""

    def __init__(self, base: Callable[[], str], headers: dict[str, str], writers: int) -> None:
        self._base = base
        self._headers = headers
        self._writers = writers
        self._is_over = False
        self._ended: Future[None] = Future()
        self.record = Record()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Write while the block lasts, and finish what is in doubt then. Raises ContradictionError."""
        with ThreadPoolExecutor(1) as pool:
            self._ended = pool.submit(asyncio.run, self._run())
            try:
                yield
            except BaseException:
                self.record.is_given_up = True
                raise
            finally:
                self._is_over = True
        self._ended.result()

    def wait_for_success(self, since: float) -> float:
        """Wait until a request succeeds that was sent since then, and give when its answer came."""
        self._wait_until(lambda: self.record.success[0] >= since)
        return self.record.success[1]

    def wait_for_every_kind(self) -> None:
        """Wait until every kind of write was answered, or lost."""
        self._wait_until(lambda: {outcome.partition(":")[0] for outcome in list(self.record.outcomes)} == set(Kind))

    def wait_for_repetition(self) -> None:
        """Wait until a write was acknowledged when it was repeated."""
        self._wait_until(lambda: self.record.repeated > 0)

    def wait_for_refusals(self, refusals: int) -> None:
        """Wait until so many more answers are that it cannot be done now."""
        before = self._refusals
        self._wait_until(lambda: self._refusals >= before + refusals)

    @property
    def _refusals(self) -> int:
        return sum(times for outcome, times in list(self.record.outcomes.items()) if outcome.endswith(": 503"))

    def _wait_until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not true():
            if self._ended.done():
                self._ended.result()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(headers=self._headers, limits=limits, timeout=ANSWER_SECONDS) as http:
            await self._prepare(http)
            async with asyncio.TaskGroup() as group:
                for number in range(self._writers):
                    group.create_task(self._go_on(_Writer(http, self._base, self.record, number)))

    async def _prepare(self, http: httpx.AsyncClient) -> None:
        writer = _Writer(http, self._base, self.record, -1)
        for path, slug in (("/v1/timelines", TIMELINE), ("/v1/sources", SOURCE)):
            answer = await writer.post(Kind.CREATE, path, {"slug": slug, "title": slug})
            self.record.acknowledged.append(Acknowledged((), answer.content))

    async def _go_on(self, writer: _Writer) -> None:
        while not self._is_over:
            await writer.write()


class _Writer:
    """One writer; `states` are its events that are there, as they stand."""

    def __init__(self, http: httpx.AsyncClient, base: Callable[[], str], record: Record, number: int) -> None:
        self._http = http
        self._base = base
        self._record = record
        self._choose = Random(number)  # noqa: S311  # which writes, no secret
        self._number = number
        self._texts = 0
        self._states: dict[str, State] = {}

    async def write(self) -> None:
        """Do one write until it is acknowledged."""
        (kind,) = self._choose.choices(list(SHARES), list(SHARES.values()))
        if len(self._states) < FEWEST_EVENTS:
            kind = Kind.CREATE
        does = {
            Kind.CREATE: self._create,
            Kind.CLAIM: self._claim,
            Kind.AMEND: self._amend,
            Kind.DELETE: self._delete,
            Kind.BATCH: self._batch,
        }
        done = await does[kind]()
        self._record.acknowledged.append(done)
        for state in done.states:
            self._states[state.event] = state
            if state.content is None:
                del self._states[state.event]

    async def post(self, kind: Kind, path: str, body: object) -> httpx.Response:
        """Post under one key until it is done."""
        answer, _ = await self._send(kind, "POST", path, {"Idempotency-Key": str(uuid4())}, body)
        if answer.status_code != DONE[kind]:
            raise ContradictionError(f"{kind}: {answer.status_code} {answer.text}")
        return answer

    def _text(self) -> str:
        self._texts += 1
        return f"text {self._texts} of writer {self._number}"

    def _body(self, summary: str) -> dict[str, Any]:
        when = f"20{self._choose.randrange(10, 30)}-0{self._choose.randrange(1, 10)}"
        return {"title": "Killed", "summary": summary, "when": when, "status": "planned", "topics": ["death", "life"]}

    def _pick(self) -> State:
        return self._choose.choice(list(self._states.values()))

    async def _create(self) -> Acknowledged:
        summary = self._text()
        answer = await self.post(Kind.CREATE, EVENTS, self._body(summary))
        expected = State(answer.json()["id"], 1, Content(summary))
        self._compare(answer.json(), expected)
        return Acknowledged((expected,), answer.content)

    async def _claim(self) -> Acknowledged:
        state, quote = self._pick(), self._text()
        answer = await self.post(Kind.CLAIM, f"{EVENTS}/{state.event}/claims", {"source": SOURCE, "quote": quote})
        expected = state.claimed(quote)
        if answer.headers["ETag"] != f'"{expected.version}"':
            raise ContradictionError(f"{answer.headers['ETag']} instead of {expected}")
        return Acknowledged((expected,), answer.content)

    async def _amend(self) -> Acknowledged:
        state, summary = self._pick(), self._text()
        expected = state.amended(summary)
        patch = {"summary": summary, "when": self._body(summary)["when"]}
        answer = await self._change(Kind.AMEND, "PATCH", state, patch)
        # done before already, where its answer was lost: then the present state is the one that it makes
        self._compare(answer.json() if answer.status_code == DONE[Kind.AMEND] else answer.json()["current"], expected)
        return Acknowledged((expected,))

    async def _delete(self) -> Acknowledged:
        state = self._pick()
        await self._change(Kind.DELETE, "DELETE", state, None)
        return Acknowledged((state.deleted(),))

    async def _batch(self) -> Acknowledged:
        """Create two, amend one and delete another, all or nothing."""
        amended, deleted = self._choose.sample(list(self._states.values()), 2)
        texts = [self._text() for _ in range(3)]
        operations = [
            {"operation": "create", "body": self._body(texts[0])},
            {"operation": "amend", "event": amended.event, "if_match": amended.version, "patch": {"summary": texts[1]}},
            {"operation": "create", "body": self._body(texts[2])},
            {"operation": "delete", "event": deleted.event, "if_match": deleted.version},
        ]
        answer = await self.post(Kind.BATCH, f"{EVENTS}:batch", {"operations": operations})
        items = answer.json()["items"]
        first, second = (State(items[i]["event"], 1, Content(texts[i])) for i in (0, 2))
        expected = (first, amended.amended(texts[1]), second, deleted.deleted())
        for item, state in zip(items, expected, strict=True):
            if state.content is not None:
                self._compare(item["document"], state)
        return Acknowledged(expected, answer.content)

    def _compare(self, document: dict[str, Any], expected: State) -> None:
        found = State(document["id"], document["version"], Content.of(document))
        if found != expected:
            raise ContradictionError(f"{found} instead of {expected}")

    async def _change(self, kind: Kind, method: str, state: State, body: object) -> httpx.Response:
        """Change a version until that is done, or seen to have been done by a try whose answer was lost."""
        headers = {"If-Match": f'"{state.version}"'}
        answer, is_repeated = await self._send(kind, method, f"{EVENTS}/{state.event}", headers, body)
        refusal = {Kind.AMEND: 412, Kind.DELETE: 410}[kind]
        if answer.status_code != DONE[kind] and not (is_repeated and answer.status_code == refusal):
            raise ContradictionError(f"{kind} of {state}: {answer.status_code} {answer.text}")
        return answer

    async def _send(
        self, kind: Kind, method: str, path: str, headers: dict[str, str], body: object
    ) -> tuple[httpx.Response, bool]:
        """Send a request until its answer says what became of it; tell whether it was repeated."""
        is_repeated = False
        while not self._record.is_given_up:
            sent = time.monotonic()
            try:
                answer = await self._http.request(method, self._base() + path, headers=headers, json=body)
            except httpx.TransportError as error:
                self._record.outcomes[f"{kind}: {type(error).__name__}"] += 1
            else:
                self._record.outcomes[f"{kind}: {answer.status_code}"] += 1
                if answer.is_success:
                    self._record.success = max(self._record.success, (sent, time.monotonic()))
                if not _is_to_be_repeated(answer):
                    self._record.repeated += is_repeated
                    return answer, is_repeated
            is_repeated = True
            await asyncio.sleep(PAUSE_SECONDS)
        raise ContradictionError(f"{kind}: not answered to the end")


def _is_to_be_repeated(answer: httpx.Response) -> bool:
    """Tell whether an answer is that it is not known, or not done yet."""
    if answer.status_code not in (409, 503):
        return False
    if int(answer.headers.get("Retry-After", 0)) <= 0:
        raise ContradictionError(f"{answer.status_code} without Retry-After: {answer.text}")
    return True
