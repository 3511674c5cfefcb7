"""Many writes of a timeline's events in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from service.store import events
from service.store.expectation import Expectation
from service.store.failures import translated
from service.store.query import Caller
from service.store.record import Stored
from service.store.statement import Connection
from service.store.states import lock_identities
from service.store.timelines import check_timeline
from service.wire.amendment import MergePatch
from service.wire.batch import AmendmentBody, CreationBody, DeletionBody, Operation, ReplacementBody


@dataclass(frozen=True, slots=True)
class Done:
    """A write that was done: of which event, whether it is new, how it stands then; None where it was deleted."""

    event_id: UUID
    is_new: bool
    stored: Stored | None


async def begin_batch(
    connection: Connection, timeline_slug: str, operations: Sequence[Operation], caller: Caller
) -> None:
    """Lock all events that a batch names, in an order that is the same for all batches. Raises NotFound.

    So no two batches wait for each other, however their operations are ordered.
    """
    await check_timeline(connection, timeline_slug, caller)
    named = {one.event for one in operations if not isinstance(one, CreationBody)}
    await lock_identities(connection, timeline_slug, sorted(named))


async def do_operation(
    connection: Connection, timeline_slug: str, operation: Operation, caller: Caller, *, apart: bool
) -> Done:
    """Do one write of a batch; `apart` undoes it alone where it is refused, so that others may follow.

    Raises what the write alone would raise.
    """
    undoing: AbstractAsyncContextManager[object] = connection.transaction() if apart else nullcontext()
    with translated():
        async with undoing:
            return await _do(connection, timeline_slug, operation, caller)


async def _do(connection: Connection, timeline_slug: str, operation: Operation, caller: Caller) -> Done:
    if isinstance(operation, CreationBody):
        event_id, stored = await events.create_event(connection, timeline_slug, operation.body, caller)
        return Done(event_id, is_new=True, stored=stored)
    expected = Expectation() if operation.if_match is None else Expectation(frozenset({operation.if_match}))
    if isinstance(operation, ReplacementBody):
        stored, is_new = await events.put_event(
            connection, timeline_slug, operation.event, operation.body, expected, caller
        )
        return Done(operation.event, is_new, stored)
    if isinstance(operation, AmendmentBody):
        patch = MergePatch(operation.patch.model_dump(mode="json", exclude_unset=True))
        stored = await events.amend_event(connection, timeline_slug, operation.event, patch, expected, caller)
        return Done(operation.event, is_new=False, stored=stored)
    if isinstance(operation, DeletionBody):
        await events.retire_event(connection, timeline_slug, operation.event, expected, caller)
        return Done(operation.event, is_new=False, stored=None)
    assert_never(operation)
