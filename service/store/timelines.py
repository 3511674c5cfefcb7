"""Whether a timeline is there for a caller, and whether the store holds any."""

from __future__ import annotations

from sqlalchemy import exists, func, select

from service.errors import NotFound
from service.store.query import Caller, timeline_id_of
from service.store.selection import TIMELINE_ID, is_visible
from service.store.statement import Connection, Statement, compiled
from service.tables import timeline

_IS_THERE: Statement = compiled(select(1).where(timeline.c.timeline_id == TIMELINE_ID, is_visible()))
# Any number will do that no other user of the same database takes.
_SEEDING = 0x44_41_54_46
_TAKE_TURN: Statement = compiled(select(func.pg_advisory_xact_lock(_SEEDING)))
_ANY: Statement = compiled(select(exists(select(1).select_from(timeline))))


async def check_timeline(connection: Connection, slug: str, caller: Caller) -> None:
    """Raise NotFound if there is no such timeline, or none that the caller may see."""
    values = {"timeline_id": timeline_id_of(slug), **caller.sight}
    if await (await _IS_THERE.run(connection, values)).fetchone() is None:
        raise NotFound(f"no timeline {slug!r}")


async def take_turn_to_seed(connection: Connection) -> None:
    """Wait until nobody else is seeding, and let the next one wait until this transaction ends."""
    await _TAKE_TURN.run(connection, {})


async def holds_timelines(connection: Connection) -> bool:
    """Tell whether there is any timeline."""
    row = await (await _ANY.run(connection, {})).fetchone()
    return bool(row and row[0])
