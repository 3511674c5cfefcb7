"""The change feed: every write in an order that no follower can fall behind unseen.

Ordered by (epoch, transaction, sequence) and read up to the horizon, the oldest transaction that is still under
way (`pg_snapshot_xmin`), so that what commits late is waited for, never skipped. By sequence alone a follower
loses what commits after a higher number. Transactions of the cluster's other databases only delay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID
from weakref import WeakSet

from sqlalchemy import BigInteger, Text, cast, func, insert, select

from service.errors import CursorOutlived, NotFound
from service.store.adapters import At
from service.store.feed_selection import HEAD_COLUMNS, FeedShape, horizon_of, reading
from service.store.position import START, Place, Position
from service.store.query import Caller, EventQuery, timeline_id_of
from service.store.selection import Shape, values_of
from service.store.statement import Connection, Row, Statement, compiled, is_distributed, parameters
from service.store.unfinished import wait_for_commits
from service.tables import change, feed

Operation = Literal["created", "amended", "deleted", "revived", "purged"]

# Whoever waits for changes listens on this channel, on which is said no more than that there are some. It is said
# after the commit: within the transaction, PostgreSQL would let only one commit at a time.
CHANNEL = "dateline_changes"

# Behind a filter, so many changes are looked at for one page: whatever is rare is found over several pages.
SCANNED_CHANGES = 1_000

# The writing transaction, by which changes are ordered.
TRANSACTION = cast(cast(func.pg_current_xact_id(), Text), BigInteger)
_APPEND: Statement = compiled(
    insert(change).values(
        parameters(change) | {"epoch": select(feed.c.epoch).scalar_subquery(), "transaction_id": TRANSACTION}
    ),
    distributed=[insert(change).values(parameters(change))],
)
_READ_TRANSACTION: Statement = compiled(select(TRANSACTION))
_READ_EPOCH: Statement = compiled(select(feed.c.epoch))
# Connections in whose present transaction something was appended, of which nobody was told yet.
_UNTOLD: WeakSet[Connection] = WeakSet()


async def append_change(connection: Connection, operation: Operation, row: Mapping[str, object]) -> None:
    """Add a write to the feed, inside its transaction; whoever waits for it is woken once that is committed.

    `row` holds the event's key, the `state` that was recorded, the `version` that is present, and `recorded_at`.
    """
    await _APPEND.run(connection, {**row, "operation": operation, **await stamp_of(connection)})
    note_appended(connection)


async def stamp_of(connection: Connection) -> dict[str, object]:
    """Give a change its place in the feed on a distributed PostgreSQL: the coordinator's transaction, and the epoch.

    Asked of no table, the transaction is the coordinator's for certain; by that of another server nothing is ordered.
    """
    if not is_distributed(connection):
        return {}
    ((transaction_id,),) = await (await _READ_TRANSACTION.run(connection, {})).fetchall()
    ((epoch,),) = await (await _READ_EPOCH.run(connection, {})).fetchall()
    return {"transaction_id": transaction_id, "epoch": epoch}


def note_appended(connection: Connection) -> None:
    """Note that a connection's present transaction appends to the feed: whoever waits is woken once it is committed."""
    _UNTOLD.add(connection)


def take_untold(connection: Connection) -> bool:
    """Tell, once, whether changes were appended on a connection whose transaction has ended."""
    appended = connection in _UNTOLD
    _UNTOLD.discard(connection)
    return appended


@dataclass(frozen=True, slots=True)
class Change:
    """A write: what it did to which event, the state that it recorded, and the version present after it.

    `document` is that version (UTF-8 JSON): None for a tombstone, after a purge, and where it was not asked for.
    """

    position: Position
    operation: Operation
    event_id: UUID
    state: int
    version: int
    recorded_at: int
    document: bytes | None


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of the feed: its changes in order, and the place behind all that was looked at for it.

    `latest` is the last place that can be read now, `oldest` the first from which nothing is missing. `token` names
    the database's life, in which these places stand.
    """

    items: list[Change]
    end: Position
    latest: Position
    oldest: Position
    token: UUID

    @property
    def has_more(self) -> bool:
        """Tell whether more can be read now."""
        return self.end < self.latest

    def place(self, position: Position) -> Place:
        """Say in which life a position stands."""
        return Place(self.token, position)


async def read_changes(
    connection: Connection,
    query: EventQuery,
    caller: Caller,
    *,
    after: Place | Literal["latest"] | None,
    limit: int,
    documents: bool = True,
    recorded_as_of: int | None = None,
) -> Changes:
    """Read at most `limit` changes of the query's timeline, those after a place, or from the oldest kept.

    The query's filters judge a change's document as it stood after the change; what has no document passes. With
    `recorded_as_of` only what was recorded by that instant counts. One statement, hence one view of the feed, even
    while old changes are swept.

    Raises NotFound without a timeline that the caller may see, and CursorOutlived for a place of another life of
    the database or one that changes are missing behind.
    """
    shape = FeedShape(Shape.of(query), documents, recorded_as_of is not None)
    start = after.position if isinstance(after, Place) else START
    scanned = limit + 1 if shape.lets_all_pass else max(limit + 1, SCANNED_CHANGES)
    values = values_of(query, caller) | {
        "after_epoch": start.epoch,
        "after_transaction": start.transaction_id,
        "after_sequence": start.sequence,
        "limit": 0 if after == "latest" else limit + 1,
        "scanned": 0 if after == "latest" else scanned,
    }
    values |= {f"{name}_values": [f"{name}:{one}" for one in chosen] for name, chosen in query.facets.items() if chosen}
    if recorded_as_of is not None:
        values["recorded_as_of"] = At(recorded_as_of)
    values |= await horizon_of(connection)
    await wait_for_commits(connection, timeline_id_of(str(query.timeline)))
    rows = await (await reading(shape).run(connection, values)).fetchall()
    if not rows:
        raise NotFound(f"no timeline {query.timeline!r}")
    head = _Head.of(rows[0])
    if isinstance(after, Place):
        _check(after, head, str(query.timeline))
    found = [(_change(row), bool(row[-1])) for row in rows if row[HEAD_COLUMNS] is not None]
    if len(found) > limit > 0:
        end = found[limit - 1][0].position
    elif found and not shape.lets_all_pass:
        end = found[-1][0].position
    else:
        end = max(head.latest, start)
    items = [one for one, passes in found[:limit] if passes]
    return Changes(items, end, head.latest, head.oldest, head.token)


@dataclass(frozen=True, slots=True)
class _Head:
    """How the feed stands: its life's token, where it ends and begins, and whether the change asked after is there."""

    token: UUID
    latest: Position
    oldest: Position
    stands: bool

    @classmethod
    def of(cls, row: Row) -> _Head:
        token, *places, stands = row[:HEAD_COLUMNS]
        oldest = position_of(places[3:])
        # where all was swept, the feed ends where it begins
        return cls(token, max(position_of(places[:3]), oldest), oldest, stands)


def position_of(columns: Sequence[int | None]) -> Position:
    """Make a position of three columns; the feed's start where there are none."""
    return START if columns[0] is None else Position(*(int(one or 0) for one in columns))


def _check(after: Place, head: _Head, timeline_slug: str) -> None:
    """Raise CursorOutlived where a follower of this place would miss something."""
    again = (
        f"Start again: take `latest` of /v1/timelines/{timeline_slug}/changes?after=latest, list the events, "
        "then follow from that cursor"
    )
    if after.token != head.token:
        raise CursorOutlived(f"the database was restored since this cursor was made. {again}")
    if after.position < head.oldest:
        raise CursorOutlived(f"the changes that follow this cursor are kept no longer. {again}")
    if not head.stands and after.position not in (START, head.oldest):
        # such a cursor was handed out once: the database has since gone back in time, by a recovery or a dump
        raise CursorOutlived(f"this cursor is ahead of the database, which has lost changes. {again}")


def _change(row: Row) -> Change:
    epoch, transaction_id, sequence, operation, event_id, state, version, recorded_at, document = row[HEAD_COLUMNS:-1]
    return Change(Position(epoch, transaction_id, sequence), operation, event_id, state, version, recorded_at, document)
