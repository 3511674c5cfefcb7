"""Remove an event for good, where the law asks for it."""

from __future__ import annotations

import asyncio
from uuid import UUID

from service.store.audit import record_command
from service.store.database import connected
from service.store.idempotency import forget_answers
from service.store.record import purge_event

_STATEMENT_TIMEOUT_SECONDS = 60.0


def purge(url: str, timeline: str, event_id: UUID) -> int:
    """Remove an event and all that was ever known of it, and give the number of states that went.

    The answers that are kept to be given again go too, where they tell of it. The feed
    says so. Raises NotFound, InUse, Unavailable.
    """
    return asyncio.run(_purge(url, timeline, event_id))


async def _purge(url: str, timeline: str, event_id: UUID) -> int:
    async with (
        connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database,
        database.transaction() as connection,
    ):
        gone = await purge_event(connection, timeline, event_id)
        await forget_answers(connection, event_id)
        path = f"/v1/timelines/{timeline}/events/{event_id}"
        await record_command(connection, "purge_event", path, status=204)
        return gone
