"""How far the feed lags behind the writes."""

from __future__ import annotations

from sqlalchemy import extract, func, select, true

from service.store.feed_selection import beyond_horizon, horizon_of, up_to_horizon
from service.store.statement import Connection, Statement
from service.tables import change, feed, timeline

_AGE = extract("epoch", func.clock_timestamp() - func.min(change.c.recorded_at))
_LAG: Statement = up_to_horizon(
    select(func.count(), _AGE).select_from(
        timeline.join(feed, true()).join(change, beyond_horizon(timeline.c.timeline_id))
    )
)


async def read_lag(connection: Connection) -> tuple[int, float]:
    """Count the changes of all timelines that no follower can read yet, and give the age of the oldest in seconds."""
    row = await (await _LAG.run(connection, await horizon_of(connection))).fetchone()
    assert row is not None  # noqa: S101  # an aggregate without GROUP BY gives one row
    return int(row[0]), float(row[1] or 0)
