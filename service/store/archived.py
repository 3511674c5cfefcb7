"""What an archive says, written where it was never there: under its identities, at the instants that it tells.

What is there already just so is left alone, and what is there otherwise is refused: an archive never changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, bindparam, exists, func, insert, literal_column, not_, select, true
from sqlalchemy.dialects import postgresql

from service.dates import parse_instant
from service.errors import AlreadyExists, DatelineError, Gone, NotFound
from service.store.adapters import At
from service.store.bulk import NewHistory, write_each
from service.store.directory import ACTORS, PLACES, SOURCES, TIMELINES, Kind, get_entry
from service.store.lookup import asked, is_there
from service.store.query import owner, timeline_id_of
from service.store.recorded import MEMBERS, recorded_of
from service.store.selection import TIMELINE_ID
from service.store.statement import Connection, Statement, compiled, parameters
from service.tables import actor_alias, change, event, event_link, event_state
from service.wire.archive import ArchivedEntry, ArchivedTimeline, entry_kind
from service.wire.shape import upgraded
from service.wording import counted

_KINDS: Mapping[str, Kind[Any]] = {kind.called: kind for kind in (TIMELINES, ACTORS, PLACES, SOURCES)}
_ALL = owner("operator")


class Tie(NamedTuple):
    """A link of an event to another."""

    event_id: UUID
    rel: str
    other_id: UUID


@dataclass(slots=True)
class Written:
    """What became of some events: how many came, how many were there just so, which are refused, by place, and why.

    `loose` are links to what is not there yet.
    """

    created: int = 0
    unchanged: int = 0
    refused: list[tuple[int, DatelineError]] = field(default_factory=list)
    loose: list[Tie] = field(default_factory=list)


async def write_entry(connection: Connection, entry: ArchivedEntry, *, trial: bool = False) -> bool:
    """Write a timeline or an entry of the directory; tell whether it was not there.

    Raises AlreadyExists where it is there otherwise.
    """
    kind = _KINDS[entry_kind(entry)]
    values = entry.model_dump()
    try:
        present, version = await get_entry(connection, kind, entry.slug, _ALL)
    except NotFound:
        if not trial:
            await _insert_entry(connection, kind, values)
        return True
    there = present.model_dump() | {"version": version}
    other = [name for name, value in values.items() if there[name] != value]
    if other:
        raise AlreadyExists(
            f"the {kind.called} {entry.slug!r} is there already, with another {' and '.join(other)}, and stays so"
        )
    return False


async def has_other_visibility(connection: Connection, entry: ArchivedTimeline) -> bool:
    """Tell whether a timeline is there that others may see than those who may see this one."""
    try:
        present, _ = await get_entry(connection, TIMELINES, entry.slug, _ALL)
    except NotFound:
        return False
    return bool(present.visibility != entry.visibility)


async def _insert_entry(connection: Connection, kind: Kind[Any], values: dict[str, Any]) -> None:
    if kind is TIMELINES:
        values |= {"timeline_id": timeline_id_of(values["slug"]), "created_at": At(parse_instant(values["created_at"]))}
    await _INSERT_ENTRY[kind.called].run(connection, values)
    aliases = [
        {"actor": values["slug"], "position": i, "alias": one} for i, one in enumerate(values.get("aliases", []))
    ]
    await _INSERT_ALIAS.run_many(connection, aliases)


async def write_events(connection: Connection, histories: Sequence[NewHistory], *, trial: bool = False) -> Written:
    """Write those of a timeline's events that were never there. On trial, nothing is written but what would be is told.

    Raises NotFound without the timeline, and Unavailable.
    """
    outcome = Written()
    if not histories:
        return outcome
    timeline_id = timeline_id_of(histories[0].timeline)
    key = {"timeline_id": timeline_id, "event_ids": [one.event_id for one in histories]}
    rows = await (await _READ.run(connection, key)).fetchall()
    there = {event_id: [row[1:] for row in some] for event_id, some in groupby(rows, key=lambda row: row[0])}
    purged = {row[0] for row in await (await _READ_PURGED.run(connection, key)).fetchall()}
    newcomers: list[int] = []
    standing: list[NewHistory] = []
    for i, one in enumerate(histories):
        if one.event_id in there:
            difference = _difference(one, there[one.event_id])
            if difference is None:
                outcome.unchanged += 1
                standing.append(one)
            else:
                outcome.refused.append((i, AlreadyExists(difference)))
        elif one.event_id in purged:
            outcome.refused.append((i, Gone(f"event {one.event_id} was purged here")))
        else:
            newcomers.append(i)
    if trial:
        outcome.created = len(newcomers)
        return outcome
    refused = await write_each(connection, [histories[i] for i in newcomers])
    outcome.refused += [(newcomers[place], error) for place, error in refused]
    outcome.created = len(newcomers) - len(refused)
    outcome.refused.sort(key=lambda one: one[0])
    beyond = {i for i, _ in outcome.refused}
    standing += [histories[i] for i in newcomers if i not in beyond]
    outcome.loose = await tie(connection, timeline_id, [one for some in standing for one in ties_of(some)])
    return outcome


def ties_of(history: NewHistory) -> list[Tie]:
    """List how an event is tied to others as it stands in the end."""
    document = history.present.document
    return [] if document is None else [Tie(history.event_id, one.rel, one.event) for one in document.links]


async def tie(connection: Connection, timeline_id: UUID, ties: Sequence[Tie]) -> list[Tie]:
    """Tie events to others that are there; give the ties to those that are not."""
    if not ties:
        return []
    values = {
        "timeline_id": timeline_id,
        "from_ids": [one.event_id for one in ties],
        "rels": [one.rel for one in ties],
        "to_ids": [one.other_id for one in ties],
    }
    return [Tie(*row) for row in await (await _TIE.run(connection, values)).fetchall()]


def _difference(given: NewHistory, there: Sequence[tuple[Any, ...]]) -> str | None:
    """Say what an event's history has otherwise than the one that is there; None where both are one."""
    event_id = given.event_id
    for state, row in zip(given.states, there, strict=False):
        kept = dict(zip(MEMBERS, row, strict=True))
        other = [name for name in _COMPARED if kept[name] != getattr(state, name)]
        if _in_present_shape(state.text) != _in_present_shape(kept["document"]):
            other.append("document")
        if other:
            version = f"version {state.version}"
            return f"event {event_id} has another history here: {version} differs in {' and '.join(other)}"
    more = len(there) - len(given.states)
    if more:
        how = "more" if more > 0 else "fewer"
        return f"event {event_id} has another history here: {counted(abs(more), f'{how} state')}"
    return None


def _in_present_shape(document: bytes | None) -> bytes | None:
    """Give a document as those of all shapes can be compared."""
    return None if document is None else upgraded(document)


# beside the document, which may have come to another shape since
_COMPARED = ("version", "reported_at", "recorded_at", "supersedes", "author", "reason")
_there = recorded_of(asked.c.event_id).offset(literal_column("0")).lateral("there")
_READ: Statement = compiled(
    select(_there.c.event_id, *(_there.c[name] for name in MEMBERS))
    .select_from(asked.join(_there, true()))
    .order_by(_there.c.event_id, _there.c.version)
)
# What the feed tells of, and has no state any more.
_READ_PURGED: Statement = compiled(
    select(asked.c.event_id).where(is_there(change, change.c.state), not_(is_there(event_state, event_state.c.version)))
)
_INSERT_ENTRY: Mapping[str, Statement] = {
    name: compiled(insert(kind.table).values(parameters(kind.table))) for name, kind in _KINDS.items()
}
_INSERT_ALIAS: Statement = compiled(insert(actor_alias).values(parameters(actor_alias)))


def _tying() -> Statement:
    """Write ties to events that are there, unless they are there already, and select the others."""
    ids = ARRAY(postgresql.UUID(as_uuid=True))
    columns: list[ColumnElement[Any]] = [
        bindparam("from_ids", type_=ids),
        bindparam("rels", type_=ARRAY(Text(collation="C"))),
        bindparam("to_ids", type_=ids),
    ]
    asked = func.unnest(*columns).table_valued("event_id", "rel", "other_id", name="asked").render_derived()
    is_there = exists(select(1).where(event.c.timeline_id == TIMELINE_ID, event.c.event_id == asked.c.other_id))
    tied = (
        postgresql.insert(event_link)
        .from_select(
            ["timeline_id", "event_id", "rel", "other_id"],
            select(TIMELINE_ID, asked.c.event_id, asked.c.rel, asked.c.other_id).where(is_there),
        )
        .on_conflict_do_nothing()
        .returning(literal_column("1"))
        .cte("tied")
    )
    return compiled(select(asked.c.event_id, asked.c.rel, asked.c.other_id).where(not_(is_there)).add_cte(tied))


_TIE: Statement = _tying()
