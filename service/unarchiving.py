"""An archive brought into a database, by several processes if wanted: what is not there yet of it.

Some thousand states are written a transaction, whole events always. Nothing has to be remembered between two runs: what
a run that was killed has written is found to be there by the next one, and left alone.

From the command line alone: an archive says who wrote, and when the store learned of it, which no client may.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import groupby, islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Self
from uuid import UUID

from pydantic import ValidationError

from service.dates import parse_instant
from service.errors import AlreadyExists
from service.formats.archive import (
    EntryLines,
    Line,
    StateLines,
    UnreadableLineError,
    event_of,
    read_entry,
    read_pieces,
    read_state,
)
from service.formats.reading import UnreadableFileError, opened
from service.importing import errors_of
from service.store.archived import Tie, has_other_visibility, tie, write_entry, write_events
from service.store.audit import record_command
from service.store.bulk import NewHistory, NewState
from service.store.clock import read_now
from service.store.database import Database, connected
from service.store.query import timeline_id_of
from service.wire.archive import ArchivedTimeline, Totals, check_document
from service.wire.event import Event
from service.wire.problem import ProblemError
from service.wire.shape import document_shape, upgraded

TRANSACTION_STATES = 1_000
_TIES_AT_A_TIME = 1_000
_TIES_HELD_BYTES = 8 * 1024 * 1024
_STATEMENT_TIMEOUT_SECONDS = 60.0
# How far the clock of the database that an archive is from may be ahead of this one's.
_CLOCKS_APART_MICROSECONDS = 5 * 60 * 1_000_000


@dataclass(slots=True)
class Came:
    """What became of a piece of an archive: of its events, and of its timelines and the directory's entries.

    `loose` are ties to events that were not there yet.
    """

    states: int = 0
    entries: int = 0
    created: int = 0
    unchanged: int = 0
    errors: list[ProblemError] = field(default_factory=list)
    loose: list[Tie] = field(default_factory=list)


Told = Callable[[int, Came], None]


def bring_back(url: str, path: Path, *, jobs: int, trial: bool, told: Told) -> None:
    """Import an archive; `told` how much of the file has been read, and what became of some of it, in its order.

    Raises UnreadableFileError for what is no archive, or is cut off, once what stands before is written; Unavailable.
    """
    with path.open("rb") as packed, _Workers(jobs) as workers, _Ties() as ties:
        intake = _Intake(url, workers, ties, trial=trial, told=lambda came: told(packed.tell(), came))
        for piece in read_pieces(opened(packed)):
            if isinstance(piece, EntryLines):
                intake.take_entries(piece)
            elif isinstance(piece, StateLines):
                intake.take_states(piece, waiting=2 * jobs)
            else:
                intake.end(piece)


class _Intake:
    """An archive on its way, timeline by timeline."""

    def __init__(self, url: str, workers: _Workers, ties: _Ties, *, trial: bool, told: Callable[[Came], None]) -> None:
        self._url = url
        self._workers = workers
        self._trial = trial
        self._told = told
        self._slugs: list[str] = []
        self._shut = False  # the timeline that events are of now
        self._ties = ties
        self._events = self._states = 0

    def take_entries(self, piece: EntryLines) -> None:
        """Write what comes before a timeline's events, perhaps after those of another one."""
        slugs, came, shut = asyncio.run(_write_entries(self._url, piece.lines, trial=self._trial))
        if slugs:
            self._close_timeline()
            self._slugs += slugs
            self._shut = shut
        self._told(came)

    def take_states(self, piece: StateLines, *, waiting: int) -> None:
        """Have events written, and wait until no more pieces than these are under way."""
        if not self._slugs:
            raise UnreadableFileError(f"line {piece.lines[0].number} of the archive is of no timeline")
        self._events += piece.events
        self._states += len(piece.lines)
        if self._shut:
            self._told(_refused(piece.lines))
            return
        self._workers.begin(_write_states, self._url, self._slugs[-1], piece.lines, self._trial)
        self._settle(waiting)

    def end(self, totals: Totals) -> None:
        """Finish, and see whether all came that was to come."""
        self._close_timeline()
        if totals != Totals(timelines=len(self._slugs), events=self._events, states=self._states):
            raise UnreadableFileError("the archive's last line tells of more than there is, or of less")
        if not self._trial:
            asyncio.run(_record(self._url, self._slugs))

    def _settle(self, waiting: int) -> None:
        for came in self._workers.results(waiting):
            self._ties.hold(came.loose)
            self._told(came)

    def _close_timeline(self) -> None:
        """Tie events to those that came after them."""
        self._settle(0)
        if self._slugs and not self._trial:
            self._told(asyncio.run(_tie_all(self._url, self._slugs[-1], self._ties)))
        self._ties.clear()


class _Ties:
    """Ties to be made once all events of a timeline are there: a few in memory, more in a file."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(  # noqa: SIM115  # closed with this object
            _TIES_HELD_BYTES, "w+", encoding="ascii", prefix="dateline-import-"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def clear(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._file.truncate()

    def hold(self, ties: Sequence[Tie]) -> None:
        """Keep some more."""
        self._file.writelines(f"{one.event_id} {one.rel} {one.other_id}\n" for one in ties)

    def batches(self) -> Iterator[list[Tie]]:
        """Give all that are kept, some at a time."""
        self._file.seek(0)
        while lines := list(islice(self._file, _TIES_AT_A_TIME)):
            found = (line.split() for line in lines)
            yield [Tie(UUID(event_id), rel, UUID(other_id)) for event_id, rel, other_id in found]


class _Workers:
    """Processes that work on pieces, some at a time; with one job, this process does it by itself."""

    def __init__(self, jobs: int) -> None:
        self._pool = ProcessPoolExecutor(jobs, get_context("spawn")) if jobs > 1 else None
        self._begun: deque[Future[Came]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin(self, work: Callable[..., Came], *arguments: object) -> None:
        """Have a piece worked on."""
        if self._pool is not None:
            self._begun.append(self._pool.submit(work, *arguments))
            return
        done: Future[Came] = Future()
        done.set_result(work(*arguments))
        self._begun.append(done)

    def results(self, most: int) -> Iterator[Came]:
        """Give what became of pieces, in the order in which they were begun, until so many are left."""
        while len(self._begun) > most or (self._begun and self._begun[0].done()):
            yield self._begun.popleft().result()


def _refused(lines: Sequence[Line]) -> Came:
    """Refuse all events of some lines: they would be seen by others than they were meant for."""
    why = "its timeline has another visibility here"
    firsts = (next(some) for _, some in groupby(lines, key=lambda line: event_of(line.text)))
    return Came(states=len(lines), errors=[ProblemError(line=one.number, pointer="", detail=why) for one in firsts])


async def _write_entries(url: str, lines: Sequence[Line], *, trial: bool) -> tuple[list[str], Came, bool]:
    """Write timelines and entries of the directory.

    Gives the slugs of the timelines, what became of all, and whether the last timeline's events are to be refused.
    """
    slugs: list[str] = []
    is_shut = False
    came = Came()
    async with _connected(url) as database, database.transaction() as connection:
        for line in lines:
            try:
                entry = read_entry(line)
                if isinstance(entry, ArchivedTimeline):
                    slugs.append(entry.slug)
                    is_shut = await has_other_visibility(connection, entry)
                came.entries += await write_entry(connection, entry, trial=trial)
            except UnreadableLineError as error:
                came.errors += _errors_of(error)
            except AlreadyExists as error:
                came.errors.append(ProblemError(line=line.number, pointer="", detail=str(error)))
    return slugs, came, is_shut


def _write_states(url: str, slug: str, lines: Sequence[Line], trial: bool) -> Came:  # noqa: FBT001  # passed on
    """Write the events of some lines, perhaps in a process of its own."""
    return asyncio.run(_write_events(url, slug, lines, trial=trial))


async def _write_events(url: str, slug: str, lines: Sequence[Line], *, trial: bool) -> Came:
    came = Came(states=len(lines))
    async with _connected(url) as database:
        for some in _batches(lines):
            async with database.transaction() as connection:
                now = await read_now(connection)
                read: list[tuple[int, NewHistory]] = []
                for one in some:
                    try:
                        read.append((one[0].number, _read_event(slug, one, now)))
                    except UnreadableLineError as error:
                        came.errors += _errors_of(error)
                written = await write_events(connection, [history for _, history in read], trial=trial)
            came.created += written.created
            came.unchanged += written.unchanged
            came.loose += written.loose
            came.errors += [
                ProblemError(line=read[place][0], pointer="", detail=str(error)) for place, error in written.refused
            ]
    came.errors.sort(key=lambda one: one.line or 0)
    return came


def _batches(lines: Sequence[Line]) -> Iterator[list[list[Line]]]:
    """Divide lines into events, and these into what a transaction writes."""
    batch: list[list[Line]] = []
    count = 0
    for _, some in groupby(lines, key=lambda line: event_of(line.text)):
        batch.append(list(some))
        count += len(batch[-1])
        if count >= TRANSACTION_STATES:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def _read_event(slug: str, lines: Sequence[Line], now: int) -> NewHistory:
    """Read all states of an event. Raises UnreadableLineError."""
    event_id = read_state(lines[0]).state.event
    states: list[NewState] = []
    for line in lines:
        state = _read_state(slug, event_id, line)
        if states and state.version <= states[-1].version:
            raise UnreadableLineError(line.number, "has a version that does not follow on the one before it")
        if state.recorded_at > now + _CLOCKS_APART_MICROSECONDS:
            raise UnreadableLineError(line.number, "was recorded at an instant that is yet to come")
        states.append(state)
    return NewHistory(slug, event_id, tuple(states), now)


def _read_state(slug: str, event_id: UUID, line: Line) -> NewState:
    found = read_state(line)
    said, text = found.state, found.document
    if said.event != event_id:  # where it names two, and readers of JSON heed the last
        raise UnreadableLineError(line.number, f"is of event {said.event}, among those of {event_id}")
    if said.shape > document_shape():
        raise UnreadableLineError(line.number, f"has a document of shape {said.shape}, which a later release wrote")
    document = None
    if text is not None:
        try:
            document = Event.model_validate_json(upgraded(text))
        except ValidationError as error:
            raise UnreadableLineError(line.number, "has a document that is no event", error) from error
        try:
            check_document(document, slug, said)
        except ValueError as error:
            raise UnreadableLineError(line.number, str(error)) from error
    reported_at, recorded_at = parse_instant(said.reported_at), parse_instant(said.recorded_at)
    return NewState(
        said.version, document, text, said.shape, reported_at, recorded_at, said.supersedes, said.author, said.reason
    )


def _errors_of(error: UnreadableLineError) -> Iterator[ProblemError]:
    return errors_of(error.number, error.errors or str(error))


async def _tie_all(url: str, slug: str, ties: _Ties) -> Came:
    """Make the ties to events that came later."""
    came = Came()
    timeline_id = timeline_id_of(slug)
    async with _connected(url) as database:
        for some in ties.batches():
            async with database.transaction() as connection:
                loose = await tie(connection, timeline_id, some)
            came.errors += [
                ProblemError(
                    line=None,
                    pointer="",
                    detail=f"event {one.event_id} is linked to {one.other_id} ({one.rel}), which is not there",
                )
                for one in loose
            ]
    return came


async def _record(url: str, slugs: Sequence[str]) -> None:
    """Have the audit trail say which timelines were imported."""
    async with _connected(url) as database, database.transaction() as connection:
        for slug in slugs:
            await record_command(connection, "create_import", f"/v1/timelines/{slug}/import", status=200)


def _connected(url: str) -> AbstractAsyncContextManager[Database]:
    return connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS)
