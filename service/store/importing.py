"""Lines of an import: each creates its event, or changes it where it is there already, or says nothing new.

What was deleted stays deleted. A line that names no event has an identity that is made of what is imported and the
line's number, so that the same import done again writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import ARRAY, Table, Text, bindparam, func, literal_column, or_, select, true

from service.dates import parse_instant
from service.errors import AlreadyExists, DatelineError, Invalid, TooLarge, Unavailable
from service.store.bulk import NewHistory, newcomer, write_each
from service.store.clock import read_now
from service.store.events import report_of
from service.store.failures import translated
from service.store.lookup import asked, is_asked, is_there
from service.store.query import Caller, timeline_id_of
from service.store.record import Report, new_id, record_event, start_of
from service.store.statement import Connection, Statement, compiled
from service.store.states import Identity, lock_identity
from service.store.timelines import check_timeline
from service.tables import actor, change, event, event_state, place, source
from service.wire.document import Draft, Succession, Surroundings, compose
from service.wire.event import Event, EventBody, Link
from service.wire.history import says_the_same
from service.wire.line import EventLine, with_known_claims
from service.wire.shape import upgraded

# Each event that is changed takes a lock, of which a database has some thousands.
MOST_AMENDED = 2_000
# As many lines have a number of their own in their identities: a file of so many has some terabytes.
_NUMBER_BITS = 34
_SHELVES = {"actors": actor, "places": place, "sources": source}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that could be read, and its number from 1."""

    number: int
    body: EventLine


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that does not fit the store, and why."""

    number: int
    error: DatelineError


@dataclass(slots=True)
class Tally:
    """What became of the lines that were taken: the events that they made, changed, and left as they were."""

    created: int = 0
    amended: int = 0
    unchanged: int = 0
    # not brought back: whoever deleted them knew more
    deleted: int = 0

    def add(self, other: Tally) -> None:
        """Count what another tally counts, too."""
        self.created += other.created
        self.amended += other.amended
        self.unchanged += other.unchanged
        self.deleted += other.deleted


@dataclass(slots=True)
class _Batch:
    """Some lines on their way: whose event is new, and whose was there."""

    newcomers: list[tuple[Line, NewHistory]] = field(default_factory=list)
    others: list[tuple[Line, Draft]] = field(default_factory=list)
    # those of whom another line says how they are to stand, if nothing is in its way
    changing: set[UUID] = field(default_factory=set)
    refused: list[RefusedLine] = field(default_factory=list)


class Import:
    """An import into one timeline, all of it inside the caller's transaction.

    `digest` is a SHA-256 of what is imported.
    """

    def __init__(self, timeline_slug: str, caller: Caller, digest: bytes) -> None:
        self.tally = Tally()
        self._timeline = timeline_slug
        self._timeline_id = timeline_id_of(timeline_slug)
        self._caller = caller
        self._locked = 0
        self._stamp = hashlib.sha256(self._timeline_id.bytes + digest).digest()
        self._names: dict[str, dict[str, str]] = {shelf: {} for shelf in _SHELVES}

    async def begin(self, connection: Connection) -> None:
        """Raise NotFound without a timeline that the caller may see."""
        await check_timeline(connection, self._timeline, self._caller)

    async def write(self, connection: Connection, lines: Sequence[Line]) -> list[RefusedLine]:
        """Write some lines; give those that are refused, of which nothing is written.

        Raises TooLarge where more events are changed than one transaction can, Unavailable as any write.
        """
        around = await self._look_around(connection, lines)
        named = [(one, one.body.identity(self._timeline_id) or self.identity(one.number)) for one in lines]
        known = await self._read_known(connection, [event_id for _, event_id in named])
        batch = _Batch()
        for line, event_id in named:
            self._sort_out(batch, line, event_id, known, around)
        await self._create(connection, batch)
        for line, draft in batch.others:
            await self._amend(connection, batch, line, draft)
        return sorted(batch.refused, key=lambda one: one.number)

    def _sort_out(
        self,
        batch: _Batch,
        line: Line,
        event_id: UUID,
        known: dict[UUID, Event | None],
        around: Surroundings,
    ) -> None:
        """See what a line is of: an event that was never there, one that is, one that was deleted."""
        former = known.get(event_id)
        if event_id in known and former is None:
            self.tally.deleted += 1
            return
        body = with_known_claims(_plain(line.body), event_id, former)
        draft = Draft(self._timeline, event_id, body, () if former is None else tuple(former.links))
        report = report_of(body, self._caller)
        try:
            start_of(Identity(event_id, (), newest=0), report, around.now)
            if former is None:
                document = compose(draft, Succession(None, 1, None), around)
                batch.newcomers.append((line, newcomer(document, report)))
                known[event_id] = document
                batch.changing.add(event_id)
            elif (
                event_id not in batch.changing
                and _is_later(report, former)
                and says_the_same(
                    former, compose(draft, Succession(former, former.version, parse_instant(former.created_at)), around)
                )
            ):
                self.tally.unchanged += 1
            else:
                batch.others.append((line, draft))
                batch.changing.add(event_id)
        except Invalid as error:
            batch.refused.append(RefusedLine(line.number, error))

    async def _create(self, connection: Connection, batch: _Batch) -> None:
        """Create events; those that the database refuses are found out one by one."""
        refused = await write_each(connection, [history for _, history in batch.newcomers])
        batch.refused += [RefusedLine(batch.newcomers[i][0].number, _in_words(error)) for i, error in refused]
        self.tally.created += len(batch.newcomers) - len(refused)

    async def _amend(self, connection: Connection, batch: _Batch, line: Line, draft: Draft) -> None:
        """Change an event as a PUT does, by the one function that knows of states."""
        self._locked += 1
        if self._locked > MOST_AMENDED:
            raise TooLarge(f"more than {MOST_AMENDED} events that are there would change: import fewer lines at once")
        identity = await lock_identity(connection, self._timeline, draft.event_id)
        if identity.present is None:
            batch.refused.append(RefusedLine(line.number, Invalid("an earlier line of the same event is refused")))
            return
        if identity.present.document is None:
            self.tally.deleted += 1
            return
        former = Event.model_validate_json(identity.present.document)
        body = with_known_claims(_plain(line.body), draft.event_id, former)
        kept: tuple[Link, ...] = tuple(former.links)
        report = report_of(body, self._caller)
        report = replace(report, is_news=report.supersedes and not _is_later(report, former))
        try:
            with translated():
                async with connection.transaction():
                    stored = await record_event(connection, replace(draft, body=body, links=kept), identity, report)
        except Unavailable:
            raise
        except DatelineError as error:
            batch.refused.append(RefusedLine(line.number, error))
            return
        if stored.state > identity.newest:
            self.tally.amended += 1
        else:
            self.tally.unchanged += 1

    def identity(self, number: int) -> UUID:
        """Make the identity of a line that names none: a UUID of version 8 (RFC 9562), in the order of the lines.

        What its lines differ by stands in the first 48 bits. An index by GiST puts an identity where it belongs by the
        53 bits that a double has: where these were the same for a whole file, each of its lines lay anywhere, and to
        find that no state of it is there took the longer the more there were.
        """
        told = int.from_bytes(self._stamp[:11])
        low = told & ((1 << 62) - 1)
        middle = (told >> 62) & 0xFFF
        high = (told >> 74) << _NUMBER_BITS | number
        return UUID(int=high << 80 | 0x8 << 76 | middle << 64 | 0b10 << 62 | low)

    async def _look_around(self, connection: Connection, lines: Sequence[Line]) -> Surroundings:
        """Read the time, and of the directory what these lines name and none before them did."""
        asked: dict[str, set[str]] = {shelf: set() for shelf in _SHELVES}
        for line in lines:
            asked["actors"].update(one.actor for one in line.body.participants)
            asked["sources"].update(one.source for one in line.body.claims)
            if line.body.place is not None:
                asked["places"].add(line.body.place.place)
        for shelf, slugs in asked.items():
            missing = slugs - self._names[shelf].keys()
            if missing:
                rows = await (await _NAMES[shelf].run(connection, {"slugs": list(missing)})).fetchall()
                self._names[shelf].update(rows)
        return Surroundings(await read_now(connection), **self._names, new_id=new_id)

    async def _read_known(self, connection: Connection, event_ids: Iterable[UUID]) -> dict[UUID, Event | None]:
        """Read which events were ever there: how they stand, None for those that were deleted."""
        values = {"timeline_id": self._timeline_id, "event_ids": list(event_ids)}
        rows = await (await _READ_KNOWN.run(connection, values)).fetchall()
        return {
            event_id: None if document is None else Event.model_validate_json(upgraded(document))
            for event_id, document in rows
        }


def _plain(line: EventLine) -> EventBody:
    """Take a line as what a PUT would send."""
    return EventBody.model_construct(
        line.model_fields_set - {"id", "key"}, **{name: getattr(line, name) for name in EventBody.model_fields}
    )


def _is_later(report: Report, former: Event) -> bool:
    """Tell whether a report tells of what is known now, not of how it came to that."""
    return report.at is None or report.at >= parse_instant(former.reported_at)


def _in_words(error: DatelineError) -> DatelineError:
    if isinstance(error, AlreadyExists):
        return AlreadyExists("the event was created by another write meanwhile: import it again")
    return error


# By states and, where these were purged, by what the feed keeps of them.
_present = (
    select(event.c.event_id, event.c.document).where(is_asked(event)).limit(literal_column("1")).lateral("present")
)
_READ_KNOWN: Statement = compiled(
    select(asked.c.event_id, _present.c.document)
    .select_from(asked.outerjoin(_present, true()))
    .where(
        or_(
            _present.c.event_id.is_not(None),
            is_there(event_state, event_state.c.version),
            is_there(change, change.c.state),
        )
    )
)


def _names(table: Table) -> Statement:
    called = table.c.title if "title" in table.c else table.c.name
    slugs = bindparam("slugs", type_=ARRAY(Text(collation="C")))
    return compiled(select(table.c.slug, called).where(table.c.slug == func.any(slugs)))


_NAMES: Mapping[str, Statement] = {shelf: _names(table) for shelf, table in _SHELVES.items()}
