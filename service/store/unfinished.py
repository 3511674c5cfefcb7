"""Commits in two phases that a server of a cluster has begun, and not finished: what they wrote is not seen there yet.

The horizon waits for those that the coordinator is at. One whose server died in its midst is finished later, by Citus,
when the coordinator is long done with it: for so long nothing can be said of what its server holds of the feed.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from sqlalchemy import Text, column, func, select

from service.errors import Unavailable
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled, is_distributed
from service.tables import feed_floor

# Most are over in a few milliseconds.
_WAIT_SECONDS = 2.0
_PAUSE_SECONDS = 0.02

_prepared = func.pg_prepared_xact().table_valued(column("gid", Text)).alias("prepared")
# A table of the timeline's has its server answer, and not another.
_there = select(feed_floor.c.epoch).where(feed_floor.c.timeline_id == TIMELINE_ID).subquery("there")
_COUNT: Statement = compiled(
    select(
        select(func.count()).select_from(_prepared).where(_prepared.c.gid.like("citus%")).scalar_subquery(),
        func.count(),
    ).select_from(_there)
)


async def wait_for_commits(connection: Connection, timeline_id: UUID) -> None:
    """Wait until a timeline's server has finished what it had begun to commit; asked after the horizon.

    Raises Unavailable where it takes long.
    """
    if not is_distributed(connection):
        return
    for _ in range(round(_WAIT_SECONDS / _PAUSE_SECONDS)):
        ((count, _),) = await (await _COUNT.run(connection, {"timeline_id": timeline_id})).fetchall()
        if count == 0:
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Unavailable("a commit is not finished on the server of this timeline, which was away; try again in a minute")
