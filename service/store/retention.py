"""Sweep changes that are older than the feed keeps them; the states and their history stay."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, bindparam, delete, literal_column, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert

from service.store.adapters import At
from service.store.clock import read_now
from service.store.database import Database
from service.store.feed_selection import HORIZON, horizon_of, up_to_horizon
from service.store.selection import TIMELINE_ID
from service.store.statement import Statement, compiled, parameters
from service.tables import change, feed, feed_floor, timeline

BATCH_CHANGES = 5_000
_DAY = 86_400_000_000  # microseconds

_ORDER = (change.c.epoch, change.c.transaction_id, change.c.sequence)
_CUTOFF: Any = bindparam("cutoff", type_=DateTime(timezone=True))
_FIRST = (
    select(change.c.recorded_at)
    .where(change.c.timeline_id == timeline.c.timeline_id)
    .order_by(*_ORDER)
    .limit(literal_column("1"))
    .lateral("first")
)
_TIMELINES: Statement = compiled(
    select(timeline.c.timeline_id).select_from(timeline.join(_FIRST, true())).where(_FIRST.c.recorded_at < _CUTOFF),
    # each is looked at anyway
    distributed=[select(timeline.c.timeline_id)],
)
_OLDEST: Statement = up_to_horizon(
    select(*_ORDER, change.c.recorded_at)
    .select_from(change.join(feed, true()))
    .where(change.c.timeline_id == TIMELINE_ID, tuple_(*_ORDER[:2]) < tuple_(feed.c.epoch, HORIZON))
    .order_by(*_ORDER)
    .limit(bindparam("limit", type_=Integer))
)
_inserted = insert(feed_floor).values(parameters(feed_floor))
_RAISED = {name: _inserted.excluded[name] for name in ("epoch", "transaction_id", "sequence")}
_RAISE_FLOOR: Statement = compiled(
    _inserted.on_conflict_do_update(
        index_elements=["timeline_id"],
        set_=_RAISED,
        where=tuple_(feed_floor.c.epoch, feed_floor.c.transaction_id, feed_floor.c.sequence)
        < tuple_(*_RAISED.values()),
    )
)
_SWEEP: Statement = compiled(
    delete(change).where(
        change.c.timeline_id == TIMELINE_ID,
        tuple_(*_ORDER)
        <= tuple_(
            bindparam("epoch", type_=Integer),
            bindparam("transaction_id", type_=BigInteger),
            bindparam("sequence", type_=BigInteger),
        ),
    )
)


async def sweep_changes(database: Database, *, keep_days: float) -> int:
    """Remove from every timeline's feed what was recorded more than so many days ago; say how many changes went.

    Only from a feed's beginning on, so that what is kept has no holes. A cursor that stands before what is kept
    is told so, since the floor is raised in the same transaction. Several processes may sweep at once.
    """
    async with database.read() as connection:
        cutoff = await read_now(connection) - round(keep_days * _DAY)
        timelines = [row[0] for row in await (await _TIMELINES.run(connection, {"cutoff": At(cutoff)})).fetchall()]
    swept = 0
    for timeline_id in timelines:
        while batch := await _sweep_batch(database, {"timeline_id": timeline_id}, cutoff):
            swept += batch
    return swept


async def _sweep_batch(database: Database, key: dict[str, object], cutoff: int) -> int:
    async with database.transaction() as connection:
        values = key | {"limit": BATCH_CHANGES} | await horizon_of(connection)
        rows = await (await _OLDEST.run(connection, values)).fetchall()
        old = list(takewhile(lambda row: row[3] < cutoff, rows))
        if not old:
            return 0
        floor = key | dict(zip(("epoch", "transaction_id", "sequence"), old[-1][:3], strict=True))
        await _RAISE_FLOOR.run(connection, floor)
        return (await _SWEEP.run(connection, floor)).rowcount
