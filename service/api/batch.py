"""Many writes of a timeline's events in one request over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from service.api import answers
from service.api.access import Store
from service.api.batch_problems import BatchRefused, Refusal, answer_refusal
from service.api.parameters import TimelineSlug
from service.api.strict import StrictRoute
from service.api.writing import RepeatableWrite
from service.errors import DatelineError, TooLarge, Unavailable
from service.store.batch import Done, begin_batch, do_operation
from service.store.statement import Connection
from service.wire.batch import BatchBody, BatchResult, CreationBody, Operation, ReplacementBody, Unreadable
from service.wire.merge import InvalidMerge

router = APIRouter(tags=["Events"], route_class=StrictRoute)

# Sixteen times the longest body, by default. An answer is made in memory and kept for its repetition, and a short patch
# may be answered with a long event, a thousand times in one batch.
MOST_ANSWER_BYTES = 16 * 1024 * 1024

Atomic = Annotated[
    bool,
    Query(
        description="`true`: all operations are done, or none; `false`: each, whatever becomes of the others.",
        examples=[False],
    ),
]


@router.post(
    "/timelines/{timeline}/events:batch",
    response_model=BatchResult,
    responses=answers.problems(400, 401, 403, 404, 409, 413, 415, 422)
    | {200: {"description": "What became of each operation."}},
)
async def create_batch(
    request: Request,
    timeline: TimelineSlug,
    body: BatchBody,
    store: Store,
    write: RepeatableWrite,
    *,
    atomic: Atomic = True,
) -> Response:
    """Write up to a thousand events at once: create, replace, amend, delete.

    The operations are done in their order, in one transaction: readers, and followers of the changes, see all that was
    done or nothing. Each is answered as it would be alone. With `atomic=true` one that is refused undoes them all; the
    answer is a 422 that says which and why. With `atomic=false` the others stand, and the answer is a 200 in any case.
    Where the answer would be longer than 16 MiB, nothing is done: a 413.
    """
    # what is no operation stands in its place
    asked = cast("Sequence[Operation | Unreadable]", body.operations)
    unreadable = [Refusal(i, one) for i, one in enumerate(asked) if isinstance(one, Unreadable)]
    if atomic and unreadable:
        raise BatchRefused(unreadable)

    async def answer(connection: Connection, index: int, one: Operation | Unreadable) -> bytes:
        if isinstance(one, Unreadable):
            return _refused(request, Refusal(index, one), None)
        try:
            return _done(await do_operation(connection, timeline, one, write.caller, apart=not atomic))
        except Unavailable:
            raise  # which is nothing that one operation is to blame for
        except (DatelineError, InvalidMerge) as error:
            refusal = Refusal(index, error, _part(one))
            if atomic:
                raise BatchRefused([refusal]) from error
            return _refused(request, refusal, None if isinstance(one, CreationBody) else one.event)

    async def do(connection: Connection) -> Response:
        await begin_batch(connection, timeline, [one for one in asked if not isinstance(one, Unreadable)], write.caller)
        items = []
        length = 0
        for i, one in enumerate(asked):
            await asyncio.sleep(0)  # to say what is wrong with one takes a while, and others wait for their turn
            item = await answer(connection, i, one)
            length += len(item)
            if length > MOST_ANSWER_BYTES:
                raise TooLarge(f"the answer would have more than {MOST_ANSWER_BYTES} bytes: ask for less in one batch")
            items.append(item)
        return Response(b'{"items":[%b]}' % b",".join(items), 200, media_type=answers.JSON)

    async with store.batches:
        return await write.do(do)


def _part(operation: Operation) -> str:
    """Name the member that a refusal's pointers begin at."""
    return "body" if isinstance(operation, CreationBody | ReplacementBody) else "patch"


def _done(done: Done) -> bytes:
    if done.stored is None:
        return b'{"status":204,"event":"%b","version":null,"document":null,"problem":null}' % _text(done.event_id)
    return b'{"status":%d,"event":"%b","version":%d,"document":%b,"problem":null}' % (
        201 if done.is_new else 200,
        _text(done.event_id),
        done.stored.version,
        done.stored.document,
    )


def _refused(request: Request, refusal: Refusal, event_id: UUID | None) -> bytes:
    answer = answer_refusal(request, refusal)
    named = b"null" if event_id is None else b'"%b"' % _text(event_id)
    return b'{"status":%d,"event":%b,"version":null,"document":null,"problem":%b}' % (
        answer.status_code,
        named,
        bytes(answer.body),
    )


def _text(event_id: UUID) -> bytes:
    return str(event_id).encode()
