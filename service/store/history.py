"""An event's states as they are known, or as they were held at an instant of the store's own clock."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, bindparam, func, or_, select

from service.errors import NotFound
from service.store.adapters import At
from service.store.placement import Recorded, Span, spans
from service.store.query import Caller, timeline_id_of
from service.store.selection import is_event, is_visible
from service.store.statement import Connection, Statement, compiled
from service.tables import event_state, timeline

_RECORDED_AS_OF = bindparam("recorded_as_of", type_=DateTime(timezone=True))

# Versions are given under the event's lock: their order is the order in which the states were recorded.
_RECORDED: Statement = compiled(
    select(event_state.c.version, event_state.c.reported_at, event_state.c.supersedes)
    .join(timeline, timeline.c.timeline_id == event_state.c.timeline_id)
    .where(
        *is_event(event_state),
        is_visible(),
        or_(_RECORDED_AS_OF.is_(None), event_state.c.recorded_at <= _RECORDED_AS_OF),
    )
    .order_by(event_state.c.version)
)
_STATES: Statement = compiled(
    select(
        event_state.c.version,
        event_state.c.recorded_at,
        event_state.c.author,
        event_state.c.reason,
        event_state.c.document,
    ).where(*is_event(event_state), event_state.c.version == func.any(bindparam("versions", type_=ARRAY(Integer))))
)


@dataclass(frozen=True, slots=True)
class Past:
    """A state of an event, and the document of the one known before it.

    `span` is from when until when it is known, empty for one that no longer counts; instants are microseconds since
    1970. A tombstone has no document.
    """

    version: int
    span: Span
    recorded_at: int
    author: str
    reason: str | None
    document: bytes | None
    before: bytes | None


async def read_history(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    caller: Caller,
    *,
    limit: int,
    after: tuple[int, int] | None,
    recorded_as_of: int | None,
) -> tuple[list[Past], tuple[int, int] | None]:
    """Read at most `limit` states, the latest known first, and where they end if more follow.

    A place in the order is (instant of the report, version). Raises NotFound where no state was ever recorded, or
    none by then, or none that the caller may see.
    """
    key = {"timeline_id": timeline_id_of(timeline_slug), "event_id": event_id}
    by_then = None if recorded_as_of is None else At(recorded_as_of)
    cursor = await _RECORDED.run(connection, key | caller.sight | {"recorded_as_of": by_then})
    known = spans(Recorded(*row) for row in await cursor.fetchall())
    if not known:
        raise _no_event(timeline_slug, event_id)
    order = sorted(known.values(), key=lambda span: (span.start, span.version), reverse=True)
    rest = [span for span in order if after is None or (span.start, span.version) < after]
    page = rest[:limit]
    before = {span.version: _before(span, known) for span in page}
    wanted = {span.version for span in page} | {one for one in before.values() if one is not None}
    cursor = await _STATES.run(connection, key | {"versions": sorted(wanted)})
    rows = {row[0]: row for row in await cursor.fetchall()}
    if rows.keys() != wanted:  # purged since
        raise _no_event(timeline_slug, event_id)
    items = []
    for span in page:
        version, recorded_at, author, reason, document = rows[span.version]
        former = before[span.version]
        items.append(
            Past(version, span, recorded_at, author, reason, document, None if former is None else rows[former][4])
        )
    end = (page[-1].start, page[-1].version) if len(rest) > limit else None
    return items, end


def _no_event(timeline_slug: str, event_id: UUID) -> NotFound:
    return NotFound(f"no event {event_id} in timeline {timeline_slug!r}")


def _before(span: Span, known: dict[int, Span]) -> int | None:
    """Find the state that counts and was known just before this one began, or would have begun."""
    earlier = [one for one in known.values() if one.start < one.end and one.start < span.start]
    return max(earlier, key=lambda one: one.start).version if earlier else None
