"""The upkeep of the summaries: fold what changed into them, and hold them to the events themselves.

Whatever happens, a summary and the changes that are not folded yet come to what the events come to: a change is
appended in the transaction that writes the event, and leaves in the transaction that adds it to the summary.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from service.dates import Unit
from service.errors import DatelineError
from service.store.database import Database
from service.store.query import timeline_id_of
from service.store.runs import BOUNDS, MARKS, mark_runs, number
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled
from service.tables import event, histogram, histogram_change, timeline

logger = logging.getLogger("dateline.histogram")

# A reader sums up what is not folded yet: so many changes take it some milliseconds.
FOLDED_FROM = 500
_BATCH_CHANGES = 5_000
_PAUSE_SECONDS = 5.0
# Any number will do that no other lock of the same database has.
_LOCK_SEED = 0x48_49_53_54


async def fold_now_and_then(database: Database) -> None:
    """Fold for as long as it is let; while the database cannot be reached, wait for it."""
    while True:
        try:
            await fold_all(database, at_least=FOLDED_FROM)
        except DatelineError as error:
            logger.warning("no histogram is folded for the moment: %s", error)
        except Exception:  # a fault of ours costs readers time, no more: it is logged, and tried again
            logger.exception("a histogram could not be folded")
        await asyncio.sleep(_PAUSE_SECONDS)


async def fold_all(database: Database, *, at_least: int = 1) -> None:
    """Fold into the summaries what has changed, wherever so many changes or more are waiting.

    Several processes may do this at once.
    """
    async with database.read() as connection:
        waiting = await (await _WAITING.run(connection, {"at_least": at_least})).fetchall()
    for timeline_id, changes in waiting:
        for _ in range(0, changes, _BATCH_CHANGES):
            async with database.transaction() as connection:
                if not await fold(connection, timeline_id):
                    break


async def fold(connection: Connection, timeline_id: UUID) -> bool:
    """Fold a timeline's oldest changes in the caller's transaction, unless another does; say if there were any."""
    key = {"timeline_id": timeline_id}
    row = await (await _TRY_TURN.run(connection, key)).fetchone()
    if not row or not row[0]:
        return False
    return (await _FOLD.run(connection, key)).rowcount > 0


async def count_faults(connection: Connection, timeline_slug: str) -> int:
    """Count the buckets, of all units, of which a timeline's summary says other than its events do."""
    row = await (await _COUNT_FAULTS.run(connection, {"timeline_id": timeline_id_of(timeline_slug)})).fetchone()
    return int(row[0]) if row else 0


async def mend(connection: Connection, timeline_slug: str) -> int:
    """Put a timeline's summary right, inside the caller's transaction; say how many buckets were wrong.

    Writers go on meanwhile: what they change comes on top.
    """
    key = {"timeline_id": timeline_id_of(timeline_slug)}
    await _TAKE_TURN.run(connection, key)
    # a statement of its own, which sees what was folded while it waited
    mended = await _MEND.run(connection, key)
    await _DROP_EMPTY.run(connection, key)
    return mended.rowcount


async def list_timelines(connection: Connection) -> list[str]:
    """List the slugs of all timelines."""
    return [row[0] for row in await (await _SLUGS.run(connection, {})).fetchall()]


def _summed(marks: dict[Unit, CompoundSelect[Any]]) -> Select[Any]:
    """Sum up marks by unit and bucket."""
    each = [
        select(literal_column(f"'{unit}'").label("unit"), *marked.subquery(f"marks_{unit}").c)
        for unit, marked in marks.items()
    ]
    rows = union_all(*each).subquery("rows")
    sums = [cast(func.sum(rows.c[name]), Integer).label(name) for name in MARKS]
    return select(rows.c.unit, rows.c.bucket, *sums).group_by(rows.c.unit, rows.c.bucket)


def _added(sums: FromClause) -> Insert:
    """Add sums to a timeline's summary."""
    rows = select(TIMELINE_ID, sums.c.unit, sums.c.bucket, *(sums.c[name] for name in MARKS))
    added = insert(histogram).from_select(["timeline_id", "unit", "bucket", *MARKS], rows)
    return added.on_conflict_do_update(
        index_elements=["timeline_id", "unit", "bucket"],
        set_={name: histogram.c[name] + added.excluded[name] for name in MARKS},
    )


def _faults() -> Select[Any]:
    """Select what a timeline's summary lacks, or has too much: the events, less the changes to come, less itself."""
    there = select(*(event.c[name] for name in BOUNDS), number(1).label("events")).where(
        event.c.timeline_id == TIMELINE_ID
    )
    to_come = select(
        *(histogram_change.c[name] for name in BOUNDS), (number(0) - histogram_change.c.events).label("events")
    ).where(histogram_change.c.timeline_id == TIMELINE_ID)
    right = _summed(mark_runs(Unit, union_all(there, to_come).subquery("meant"))).subquery("right")
    kept = select(
        histogram.c.unit, histogram.c.bucket, *((number(0) - histogram.c[name]).label(name) for name in MARKS)
    ).where(histogram.c.timeline_id == TIMELINE_ID)
    rows = union_all(select(right), kept).subquery("both")
    sums = [cast(func.sum(rows.c[name]), Integer).label(name) for name in MARKS]
    return (
        select(rows.c.unit, rows.c.bucket, *sums)
        .group_by(rows.c.unit, rows.c.bucket)
        .having(or_(*(one != number(0) for one in sums)))
    )


def _folding() -> Insert:
    oldest = (
        select(histogram_change.c.sequence)
        .where(histogram_change.c.timeline_id == TIMELINE_ID)
        .order_by(histogram_change.c.sequence)
        .limit(number(_BATCH_CHANGES))
    )
    taken = (
        delete(histogram_change)
        .where(histogram_change.c.timeline_id == TIMELINE_ID, histogram_change.c.sequence.in_(oldest))
        .returning(*(histogram_change.c[name] for name in (*BOUNDS, "events")))
        .cte("taken")
    )
    return _added(_summed(mark_runs(Unit, taken)).subquery("sums"))


_LOCK = func.hashtextextended(cast(TIMELINE_ID, histogram.c.unit.type), cast(number(_LOCK_SEED), BigInteger))
_TRY_TURN: Statement = compiled(select(func.pg_try_advisory_xact_lock(_LOCK)))
_TAKE_TURN: Statement = compiled(select(func.pg_advisory_xact_lock(_LOCK)))
_WAITING: Statement = compiled(
    select(histogram_change.c.timeline_id, func.count())
    .group_by(histogram_change.c.timeline_id)
    .having(func.count() >= bindparam("at_least", type_=Integer))
)
_SLUGS: Statement = compiled(select(timeline.c.slug).order_by(timeline.c.slug))
_FOLD: Statement = compiled(_folding())
_MEND: Statement = compiled(_added(_faults().subquery("faults")))
_COUNT_FAULTS: Statement = compiled(select(func.count()).select_from(_faults().subquery("faults")))
_DROP_EMPTY: Statement = compiled(
    delete(histogram).where(histogram.c.timeline_id == TIMELINE_ID, *(histogram.c[name] == number(0) for name in MARKS))
)
