"""Which events of a timeline were known otherwise at one instant than at another."""

from __future__ import annotations

from sqlalchemy import Integer, and_, bindparam, select

from service.store.adapters import At
from service.store.query import timeline_id_of
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled
from service.tables import event_state

Pair = tuple[bytes | None, bytes | None, str | None]

_INSTANT = event_state.c.reported_at.type
_FROM = bindparam("known_from", type_=_INSTANT)
_TO = bindparam("known_to", type_=_INSTANT)
_now = event_state.alias("now_known")
_before = event_state.alias("known_before")

# States follow each other without a gap: what is known otherwise began in between.
_COMPARE: Statement = compiled(
    select(_before.c.document, _now.c.document, _now.c.reason)
    .select_from(_now)
    .outerjoin(
        _before,
        and_(
            _before.c.timeline_id == _now.c.timeline_id,
            _before.c.event_id == _now.c.event_id,
            _before.c.known.op("@>")(_FROM),
        ),
    )
    .where(
        _now.c.timeline_id == TIMELINE_ID,
        _now.c.reported_at > _FROM,
        _now.c.reported_at <= _TO,
        _now.c.known.op("@>")(_TO),
    )
    .order_by(_now.c.reported_at, _now.c.event_id)
    .limit(bindparam("limit", type_=Integer))
)


async def compare_states(
    connection: Connection, timeline_slug: str, start: int, end: int, *, limit: int
) -> tuple[list[Pair], bool]:
    """Read at most `limit` pairs (document before, document now, reason), and whether there are more.

    A document is None where the event was not known, or was deleted. In the order in which the states were reported.
    """
    values = {
        "timeline_id": timeline_id_of(timeline_slug),
        "known_from": At(start),
        "known_to": At(end),
        "limit": limit + 1,
    }
    rows = await (await _COMPARE.run(connection, values, prepare=False)).fetchall()
    return [(row[0], row[1], row[2]) for row in rows[:limit]], len(rows) > limit
