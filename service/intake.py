"""Files of events brought in from the command line, by several processes if wanted.

A file is read in pieces, each of whole lines, and written a thousand lines a transaction. Nothing has to be remembered
between two runs: what a run that was killed has written is found to be there by the next one, and left alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import BinaryIO

from service.formats import csv, ndjson
from service.formats.reading import UNPACKABLE, Lines, ReadLine, UnreadableFileError, UnreadableLine, batches, opened
from service.importing import MOST_ERRORS, write_lines
from service.store.audit import OPERATOR, record_command
from service.store.database import Database, connected
from service.store.importing import Import, Tally
from service.store.query import owner
from service.store.statement import Connection
from service.wire.problem import ProblemError

STANDARD_INPUT = Path("-")
PIECE_BYTES = 4 * 1024 * 1024
# Of these each that changes its event takes a lock, of which a database has some thousands for all.
TRANSACTION_LINES = 1_000
LINE_BYTES = 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
_STATEMENT_TIMEOUT_SECONDS = 60.0
FORMATS = {".ndjson": ndjson.MEDIA_TYPE, ".jsonl": ndjson.MEDIA_TYPE, ".csv": csv.MEDIA_TYPE}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is refused: as it stands in the file, and why."""

    text: bytes
    errors: list[ProblemError]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: into which timeline, whether on trial, whether all or nothing."""

    timeline: str
    trial: bool = False
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file: where it begins, how long it is, and how many lines stand before it."""

    path: Path
    media_type: str
    digest: bytes
    start: int
    length: int
    lines_before: int


@dataclass(slots=True)
class Outcome:
    """What became of some lines of a file."""

    path: Path
    bytes_read: int = 0
    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejected] = field(default_factory=list)


Progress = Callable[[Outcome], None]


def bring_in(url: str, order: Order, files: list[tuple[Path, str]], *, jobs: int, told: Progress) -> None:
    """Import files, each of a media type; `told` of each piece what became of it, in their order.

    Where all or nothing is wanted, a line that is refused keeps all from being written. Raises NotFound without the
    timeline, UnreadableFileError for a table without known columns, Unavailable.
    """
    pieces = [piece for path, media_type in files for piece in _pieces(path, media_type)]
    if jobs == 1 or order.atomic:
        asyncio.run(_write_all(url, order, pieces, told))
    else:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            try:
                for outcomes in pool.map(_write_piece, [url] * len(pieces), [order] * len(pieces), pieces):
                    for one in outcomes:
                        told(one)
            except KeyboardInterrupt:
                # what they are at is undone, and done by the next run; they would finish all that is left
                for process in active_children():
                    process.terminate()
                raise
    if not order.trial:
        asyncio.run(_record(url, order, len(files)))


def total_bytes(files: list[tuple[Path, str]]) -> int:
    """Give the length of all files together."""
    return sum(path.stat().st_size for path, _ in files)


@contextmanager
def as_file(path: Path) -> Iterator[Path]:
    """Give a file's path; of standard input, that of a file with all that comes from there.

    Raises UnreadableFileError where there is no room for that.
    """
    if path != STANDARD_INPUT:
        yield path
        return
    with ExitStack() as stack:
        try:
            whole = stack.enter_context(_kept(sys.stdin.buffer, "for standard input"))
        except OSError as error:
            raise UnreadableFileError(f"standard input cannot be read: {error.strerror}") from error
        yield whole


@contextmanager
def unpacked(path: Path, name: Path) -> Iterator[Path]:
    """Give a file's path; of one that is packed, that of a file with what it holds. Raises UnreadableFileError."""
    with path.open("rb") as file:
        content = opened(file)
        if content is file:
            yield path
            return
        with ExitStack() as stack:
            try:
                whole = stack.enter_context(_kept(content, f"to unpack {name}"))
            except UNPACKABLE as error:
                raise UnreadableFileError(f"{name} cannot be unpacked: {error}") from error
            yield whole


@contextmanager
def _kept(content: BinaryIO, what_for: str) -> Iterator[Path]:
    """Keep all that can be read in a temporary file for a block. Raises UnreadableFileError where that has no room."""
    with ExitStack() as stack:
        with _finding_room(what_for):
            # whatever is left in the file's own buffer, closing it would try to write once more
            file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="dateline-import-", buffering=0))
        while block := memoryview(content.read(_BLOCK_BYTES)):
            with _finding_room(what_for):
                while block:  # on a disk that is nearly full a part of it may find room, and no error be raised
                    block = block[file.write(block) :]
        yield Path(file.name)


@contextmanager
def _finding_room(what_for: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = f"there is no room {what_for} in the temporary folder (TMPDIR chooses it): {error.strerror}"
        raise UnreadableFileError(why) from error


def header(path: Path, media_type: str) -> bytes:
    """Give what a file of lines like this one's begins with: a table's first line."""
    if media_type != csv.MEDIA_TYPE:
        return b""
    with path.open("rb") as file:
        return file.readline(LINE_BYTES)


def _pieces(path: Path, media_type: str) -> list[Piece]:
    """Divide a file at the ends of lines; a table is one piece, for its lines may end within a cell."""
    told = hashlib.sha256()
    bounds = [(0, 0)]
    position = lines = 0
    with path.open("rb") as file:
        while part := file.read(PIECE_BYTES):
            told.update(part)
            end = part.rfind(b"\n") + 1
            if end and media_type == ndjson.MEDIA_TYPE:
                bounds.append((position + end, lines + part.count(b"\n")))
            position += len(part)
            lines += part.count(b"\n")
    if bounds[-1][0] < position or len(bounds) == 1:
        bounds.append((position, lines))
    return [
        Piece(path, media_type, told.digest(), start, end - start, before)
        for (start, before), (end, _) in pairwise(bounds)
    ]


def _write_piece(url: str, order: Order, piece: Piece) -> list[Outcome]:
    """Write a piece, in a process of its own."""
    outcomes: list[Outcome] = []
    asyncio.run(_write_all(url, order, [piece], outcomes.append))
    return outcomes


async def _write_all(url: str, order: Order, pieces: list[Piece], told: Progress) -> None:
    async with connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database:
        write = _in_one_transaction if order.atomic else _in_transactions
        await write(database, order, pieces, told)


async def _in_one_transaction(database: Database, order: Order, pieces: list[Piece], told: Progress) -> None:
    with suppress(_LineRefusedError):
        async with database.transaction(trial=order.trial) as connection:
            is_whole = True
            for piece in pieces:
                for some in batches(_lines(piece), TRANSACTION_LINES):
                    outcome = await _write(connection, order, piece, some)
                    is_whole = is_whole and not outcome.rejected
                    told(outcome)
            if not is_whole:
                raise _LineRefusedError


async def _in_transactions(database: Database, order: Order, pieces: list[Piece], told: Progress) -> None:
    for piece in pieces:
        for some in batches(_lines(piece), TRANSACTION_LINES):
            async with database.transaction(trial=order.trial) as connection:
                outcome = await _write(connection, order, piece, some)
            told(outcome)


class _LineRefusedError(Exception):
    """End a transaction without a trace."""


async def _write(
    connection: Connection, order: Order, piece: Piece, some: Sequence[ReadLine | UnreadableLine]
) -> Outcome:
    outcome = Outcome(piece.path, sum(len(one.text) + 1 for one in some))
    into = Import(order.timeline, owner(OPERATOR), piece.digest)

    def refuse(line: ReadLine | UnreadableLine, errors: Iterable[ProblemError]) -> None:
        outcome.rejected.append(Rejected(line.text, list(islice(errors, MOST_ERRORS))))

    outcome.tally = await write_lines(connection, iter(some), into, refuse)
    outcome.rejected.sort(key=lambda one: one.errors[0].line or 0)
    return outcome


def _lines(piece: Piece) -> Lines:
    with piece.path.open("rb") as file:
        file.seek(piece.start)
        if piece.media_type == csv.MEDIA_TYPE:
            yield from csv.read_csv(file, line_bytes=LINE_BYTES)
        else:
            end = piece.start + piece.length
            for line in ndjson.read_ndjson(file, line_bytes=LINE_BYTES, end=end):
                yield replace(line, number=piece.lines_before + line.number)


async def _record(url: str, order: Order, files: int) -> None:
    """Have the audit trail say that files were imported."""
    async with (
        connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database,
        database.transaction() as connection,
    ):
        for _ in range(files):
            await record_command(connection, "create_import", f"/v1/timelines/{order.timeline}/import", status=200)
