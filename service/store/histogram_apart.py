"""The same as `service.store.histogram_changes`, where the statement that writes an event cannot count it, too.

On a distributed PostgreSQL what a statement gives to another goes by way of the coordinator, and the write would have
to be committed in two phases. So it is counted by statements of its own, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, insert, select

from service.dates import DISTANT_FUTURE, DISTANT_PAST
from service.store.adapters import At, Spans
from service.store.runs import BOUNDS
from service.store.selection import is_event
from service.store.statement import Connection, Statement, compiled, is_distributed, parameters
from service.tables import event, histogram_change

_INSTANTS = BOUNDS[:4]
_READ: Statement = compiled(select(*(event.c[name] for name in BOUNDS)).where(*is_event(event)))
_APPEND: Statement = compiled(
    insert(histogram_change).values(
        parameters(histogram_change) | {"events": bindparam("events", type_=histogram_change.c.events.type)}
    )
)


async def count_apart(
    connection: Connection, row: Mapping[str, object], *, was_there: bool = True, stays: bool = True
) -> None:
    """Have an event counted as its row says it will be, and no longer as it is; before it is written.

    Does nothing where the statement that writes it does that. One that does not stay needs no more than its key.
    """
    if not is_distributed(connection):
        return
    before = await _read(connection, row) if was_there else None
    after = {name: row[name] for name in BOUNDS} if stays else None
    if before == after:
        return
    for bounds, events in ((before, -1), (after, 1)):
        if bounds is not None:
            await _APPEND.run(connection, {"timeline_id": row["timeline_id"], "events": events, **bounds})


async def _read(connection: Connection, row: Mapping[str, object]) -> dict[str, object] | None:
    found = await (await _READ.run(connection, row)).fetchone()
    if found is None:
        return None
    bounds: dict[str, Any] = dict(zip(BOUNDS, found, strict=True))
    for name in _INSTANTS:
        bounds[name] = At(bounds[name])
    if bounds["pieces"] is not None:
        bounds["pieces"] = Spans(
            tuple(
                (DISTANT_PAST if one.lower is None else one.lower, DISTANT_FUTURE if one.upper is None else one.upper)
                for one in bounds["pieces"]
            )
        )
    return bounds
