"""Which events of a timeline were known otherwise at one instant than at another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from service.store.adapters import At
from service.store.query import timeline_id_of
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Row, Statement, compiled
from service.tables import event_state
from service.wire.comparison import Pair, Standing

# The most changes that one statement gives to a stream of all.
_BATCH_CHANGES = 200

_INSTANT = event_state.c.reported_at.type
_FROM = bindparam("known_from", type_=_INSTANT)
_TO = bindparam("known_to", type_=_INSTANT)
_AFTER = (bindparam("after_reported", type_=_INSTANT), bindparam("after_event", type_=event_state.c.event_id.type))
_now = event_state.alias("now_known")
_before = event_state.alias("known_before")
_ORDER = (_now.c.reported_at, _now.c.event_id)


def _member(state: FromClause, name: str) -> ColumnElement[Any]:
    """Read a member of a state's document: a document may be large, and little of it is told."""
    return state.c.document.op("->>", return_type=Text())(literal_column(f"'{name}'"))


@lru_cache(maxsize=2)
def _comparing(*, is_continued: bool) -> Statement:
    # States follow each other without a gap: what is known otherwise began in between. One beginning alone, or the
    # index would be read from the earlier one.
    begins = tuple_(*_ORDER) > tuple_(*_AFTER) if is_continued else _now.c.reported_at > _FROM
    return compiled(
        select(
            _now.c.event_id,
            func.coalesce(_member(_now, "title"), _member(_before, "title")),
            _member(_before, "when"),
            _before.c.status,
            _member(_now, "when"),
            _now.c.status,
            _now.c.reason,
            _member(_now, "status_reason"),
            _now.c.reported_at,
        )
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
            begins,
            _now.c.reported_at <= _TO,
            _now.c.known.op("@>")(_TO),
            # what came and went in between was known at neither
            or_(_now.c.document.is_not(None), _before.c.document.is_not(None)),
        )
        .order_by(*_ORDER)
        .limit(bindparam("limit", type_=Integer))
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """Events that were known otherwise, in the order in which that was reported, and where they end if more follow."""

    pairs: list[Pair]
    end: tuple[int, UUID] | None


async def compare_states(
    connection: Connection,
    timeline_slug: str,
    start: int,
    end: int,
    *,
    limit: int | None = None,
    after: tuple[int, UUID] | None = None,
) -> Compared:
    """Read at most `limit` of the events that were known otherwise at `end` than at `start`; a batch without it."""
    limit = limit or _BATCH_CHANGES
    values = {
        "timeline_id": timeline_id_of(timeline_slug),
        "known_from": At(start),
        "known_to": At(end),
        "limit": limit + 1,
    }
    if after is not None:
        values |= {"after_reported": At(after[0]), "after_event": after[1]}
    cursor = await _comparing(is_continued=after is not None).run(connection, values, prepare=False)
    rows = await cursor.fetchall()
    pairs = [_pair(row) for row in rows[:limit]]
    return Compared(pairs, (rows[limit - 1][8], pairs[-1].event) if len(rows) > limit else None)


async def stream_changes(
    connection: Connection, timeline_slug: str, start: int, end: int, first: Compared
) -> AsyncIterator[list[Pair]]:
    """Iterate over the batches of all that was known otherwise, of which the first has been read.

    `connection` is in a transaction that sees one state of the store.
    """
    batch = first
    while True:
        yield batch.pairs
        if batch.end is None:
            return
        batch = await compare_states(connection, timeline_slug, start, end, after=batch.end)


def _pair(row: Row) -> Pair:
    event_id, title, former_when, former_status, when, status, reason, status_reason, _ = row
    before = None if former_status is None else Standing(when=former_when, status=former_status)
    now = None if status is None else Standing(when=when, status=status)
    return Pair(event_id, title, before, now, reason, status_reason)
