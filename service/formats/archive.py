"""Archives as files: newline-delimited JSON, compressed by gzip or not, read some lines at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from pydantic import ValidationError

from service.formats.reading import UNPACKABLE, UnreadableFileError, opened
from service.wire.archive import ENTRIES, FORMAT, MARK, ArchivedEntry, ArchivedState, Header, Totals, entry_kind

HEADER = Header().model_dump_json().encode() + b"\n"
# What of an archive is held at a time: a little more, since an event's states stay together.
PIECE_BYTES = 4 * 1024 * 1024
PIECE_ENTRIES = 1_000
LINE_BYTES = 256 * 1024 * 1024
# As the service writes a state's line: whoever writes it otherwise is read, too, and more slowly.
_STATE, _EVENT, _DOCUMENT = b'{"state":', b'{"state":{"event":"', b',"document":'
_UUID_LENGTH = 36
# What is raised for JSON of another form than is looked for.
_FORMLESS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and its number from 1."""

    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class EntryLines:
    """Some lines of a timeline itself, or of the directory."""

    lines: list[Line]


@dataclass(frozen=True, slots=True)
class StateLines:
    """All lines of some events that follow each other; `events` is how many of these."""

    lines: list[Line]
    events: int


@dataclass(frozen=True, slots=True)
class ReadState:
    """A state as it was read, and its document as it stands there (UTF-8 JSON); None for a tombstone."""

    number: int
    state: ArchivedState
    document: bytes | None


Piece = EntryLines | StateLines | Totals


class UnreadableLineError(Exception):
    """Say why a line of an archive is none: `errors` member by member, or `str()` in one sentence."""

    def __init__(self, number: int, why: str, errors: ValidationError | None = None) -> None:
        super().__init__(why)
        self.number = number
        self.errors = errors


def is_archive(path: Path) -> bool:
    """Tell whether a file says that it is an archive, of whichever format."""
    try:
        with path.open("rb") as packed, opened(packed) as file:
            return file.readline(1_000).startswith(MARK)
    except UNPACKABLE:
        return False


def read_pieces(file: BinaryIO) -> Iterator[Piece]:
    """Read an archive some lines at a time; what it says of how much it holds comes last.

    Raises UnreadableFileError for what is no archive, or of a format that is not known, or ends too early.
    """
    _check_header(_read_line(file, 1_000, behind=0))
    gathered = _Gathered()
    for line in _lines(file):
        if line.text.startswith(_STATE):
            yield from gathered.add_state(line)
            continue
        totals = _totals_of(line.text)
        if totals is None:
            yield from gathered.add_entry(line)
            continue
        yield from gathered.take()
        if _read_line(file, 1, behind=line.number):
            raise UnreadableFileError("something follows the archive's last line")
        yield totals
        return
    yield from gathered.take()
    raise UnreadableFileError("the archive is cut off: its last line is missing")


class _Gathered:
    """Lines of one kind, until they are enough for a piece."""

    def __init__(self) -> None:
        self._entries: list[Line] = []
        self._states: list[Line] = []
        self._events = 0
        self._held_bytes = 0
        self._event = b""

    def add_state(self, line: Line) -> Iterator[Piece]:
        """Add a state, and give what stands before it if that is of another kind, or enough."""
        event = event_of(line.text)
        if self._entries or (self._held_bytes > PIECE_BYTES and event != self._event):
            yield from self.take()
        self._events += event != self._event
        self._event = event
        self._states.append(line)
        self._held_bytes += len(line.text)

    def add_entry(self, line: Line) -> Iterator[Piece]:
        """Add an entry, and give what stands before it if that is of another kind, or enough."""
        if self._states or len(self._entries) == PIECE_ENTRIES:
            yield from self.take()
        self._entries.append(line)

    def take(self) -> Iterator[Piece]:
        """Give what there is, and begin anew."""
        if self._entries:
            yield EntryLines(self._entries)
        if self._states:
            yield StateLines(self._states, self._events)
        self._entries, self._states = [], []
        self._events = self._held_bytes = 0
        self._event = b""


def _check_header(line: bytes) -> None:
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        raise UnreadableFileError("the first line is not that of an archive") from error
    if header.format != FORMAT:
        raise UnreadableFileError(
            f"the archive is of format {header.format}, and this release reads {FORMAT}: import it with the release "
            "that wrote it, or a later one"
        )


def _lines(file: BinaryIO) -> Iterator[Line]:
    number = 1
    while text := _read_line(file, LINE_BYTES, behind=number):
        number += 1
        if not text.endswith(b"\n"):
            raise UnreadableFileError(f"the archive is cut off, or has a line of no archive: line {number}")
        yield Line(number, text.rstrip(b"\r\n"))


def _read_line(file: BinaryIO, most_bytes: int, *, behind: int) -> bytes:
    try:
        return file.readline(most_bytes)
    except UNPACKABLE as error:
        raise UnreadableFileError(f"the archive cannot be read behind line {behind}: {error}") from error


def _totals_of(text: bytes) -> Totals | None:
    if not text.startswith(b'{"end":'):
        return None
    try:
        return Totals.model_validate(json.loads(text)["end"])
    except _FORMLESS as error:
        raise UnreadableFileError("the archive's last line does not say how much there is") from error


def event_of(text: bytes) -> bytes:
    """Give what tells the lines of an event from another's."""
    if text.startswith(_EVENT):
        return text[len(_EVENT) : len(_EVENT) + _UUID_LENGTH]
    try:
        return str(UUID(json.loads(text)["state"]["event"])).encode()
    except _FORMLESS:
        return text


def events_of(lines: Sequence[bytes]) -> set[bytes]:
    """Give what tells the events of lines apart; of lines as the service writes them."""
    start, end = len(_EVENT), len(_EVENT) + _UUID_LENGTH
    return {line[start:end] for line in lines}


def read_entry(line: Line) -> ArchivedEntry:
    """Read a timeline, an actor, a place or a source. Raises UnreadableLineError."""
    try:
        ((kind, members),) = json.loads(line.text).items()
        entry = ENTRIES[kind]
    except _FORMLESS:
        raise UnreadableLineError(line.number, "is no line of an archive") from None
    try:
        return entry.model_validate(members)
    except ValidationError as error:
        raise UnreadableLineError(line.number, "is no such entry", error) from error


def read_state(line: Line) -> ReadState:
    """Read a state, but for its document. Raises UnreadableLineError."""
    head, found, document = line.text[len(_STATE) :].partition(_DOCUMENT)
    if not found or not document.endswith(b"}"):
        head, document = _taken_apart(line)
    else:
        document = document[:-1]
    try:
        state = ArchivedState.model_validate_json(head)
    except ValidationError as error:
        raise UnreadableLineError(line.number, "is no state of an event", error) from error
    return ReadState(line.number, state, None if document == b"null" else document)


def _taken_apart(line: Line) -> tuple[bytes, bytes]:
    """Take a line apart that is not written as the service would write it."""
    try:
        whole = json.loads(line.text)
        head, document = (
            json.dumps(whole.pop(name), ensure_ascii=False, separators=(",", ":")).encode()
            for name in ("state", "document")
        )
    except _FORMLESS:  # half of a surrogate pair is no text, either
        raise UnreadableLineError(line.number, "is no line of an archive") from None
    if whole:
        raise UnreadableLineError(line.number, f"has a member that is unknown: {next(iter(whole))!r}")
    return head, document


def write_entry(entry: ArchivedEntry) -> bytes:
    """Write the line of a timeline, an actor, a place or a source."""
    return b'{"%s":%s}\n' % (entry_kind(entry).encode(), entry.model_dump_json().encode())


def write_totals(totals: Totals) -> bytes:
    """Write the last line."""
    return b'{"end":%s}\n' % totals.model_dump_json().encode()
