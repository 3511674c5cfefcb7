"""Comma-separated values (RFC 4180): an event a record, what it is in columns that the first record names.

| column | what stands in it |
|---|---|
| `id`, `key` | which event it is |
| `title`, `summary`, `when`, `status`, `status_reason`, `kind`, `reported_at`, `reason` | as in JSON |
| `place`, `place_name` | the place's slug, and its name as credited |
| `participants` | `slug`, `slug=name`, `slug=name=role` or `slug==role`, several with `; ` between them |
| `topics` | slugs, with `; ` between them |
| `source`, `source_title`, `attributed_to`, `quote` | one claim |

An empty cell is as if it were absent.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, BinaryIO

from pydantic import ValidationError

from service.formats.reading import (
    MOST_BLANK_LINES,
    TOO_BLANK,
    Lines,
    ReadLine,
    UnreadableFileError,
    UnreadableLine,
)
from service.wire.line import EventLine
from service.wording import counted

MEDIA_TYPE = "text/csv"
_PLAIN = ("id", "key", "title", "summary", "when", "status", "status_reason", "kind", "reported_at", "reason")
_PLACE = {"place": "place", "place_name": "name"}
_CLAIM = {"source": "source", "source_title": "title", "attributed_to": "attributed_to", "quote": "quote"}
COLUMNS = (*_PLAIN, *_PLACE, "participants", "topics", *_CLAIM)
_BETWEEN = ";"
_WITHIN = "="
_FAULTS = (csv.Error, UnicodeDecodeError)


def read_csv(file: BinaryIO, *, line_bytes: int) -> Lines:
    """Read events record by record, each with the number of its last line; a byte order mark is passed over.

    A record has at most `line_bytes`. Raises UnreadableFileError for a first record that names no columns,
    or others than there are.
    """
    csv.field_size_limit(line_bytes)
    text = _Text(file, line_bytes)
    records = csv.reader(text, strict=True)
    try:
        columns = _columns(next(records, []))
    except _FAULTS as error:
        raise UnreadableFileError(f"the first line {_in_words(error)}") from error
    blank = 0
    while True:
        text.begin_record()
        try:
            cells = next(records)
        except StopIteration:
            return
        except _FAULTS as error:
            # where it goes on from here, nobody can tell
            yield UnreadableLine(text.line, b"", f"{_in_words(error)}, and what follows is not read")
            return
        blank = 0 if cells else blank + 1
        if cells:
            yield _read(text.line, cells, columns)
        elif blank > MOST_BLANK_LINES:
            yield UnreadableLine(text.line, b"", TOO_BLANK)
            return


def _in_words(error: Exception) -> str:
    return "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"is no CSV: {error}"


class _Text(Iterator[str]):
    """A text as its lines, so that what stands before a fault has been read when that is met; `line` is the last.

    Lines that belong together, as one record, have at most `record_bytes` in all.
    """

    def __init__(self, file: BinaryIO, record_bytes: int) -> None:
        self.line = 0
        self._file = file
        self._most = self._left = record_bytes

    def begin_record(self) -> None:
        """Begin to count anew."""
        self._left = self._most

    def __next__(self) -> str:
        line = self._file.readline(self._left + 1)
        if not line:
            raise StopIteration
        self.line += 1
        self._left -= len(line)
        if self._left < 0:
            raise csv.Error(f"it is longer than {self._most} bytes")
        return line.decode("utf-8-sig" if self.line == 1 else "utf-8")


def _columns(header: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in header]
    if not any(columns):
        raise UnreadableFileError(f"the first line names no columns; known are: {', '.join(COLUMNS)}")
    if len(columns) == 1 and ";" in columns[0]:
        raise UnreadableFileError("the first line names one column: commas stand between columns, not semicolons")
    for name in columns:
        if name not in COLUMNS:
            raise UnreadableFileError(f"the column {name[:100]!r} is unknown; known are: {', '.join(COLUMNS)}")
        if columns.count(name) > 1:
            raise UnreadableFileError(f"the column {name!r} stands twice")
    return columns


def _read(number: int, cells: list[str], columns: list[str]) -> ReadLine | UnreadableLine:
    text = _written(cells)
    if len(cells) != len(columns):
        return UnreadableLine(
            number, text, f"has {counted(len(cells), 'cell')} where the first line has {len(columns)}"
        )
    try:
        return ReadLine(number, text, EventLine.model_validate(_members(dict(zip(columns, cells, strict=True)))))
    except ValidationError as error:
        return UnreadableLine(number, text, error)


def _written(cells: list[str]) -> bytes:
    """Write a record as it could have stood there."""
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()


def _members(cells: Mapping[str, str]) -> dict[str, Any]:
    """Make of a record's cells what a client would send as JSON."""
    told = {name: cell for name, cell in cells.items() if cell.strip()}
    members: dict[str, Any] = {name: told[name] for name in _PLAIN if name in told}
    place = {member: told[column] for column, member in _PLACE.items() if column in told}
    if place:
        members["place"] = place
    members["participants"] = [_participant(one) for one in _parts(told.get("participants", ""))]
    members["topics"] = list(_parts(told.get("topics", "")))
    claim = {member: told[column] for column, member in _CLAIM.items() if column in told}
    if claim:
        members["claims"] = [claim]
    return members


def _participant(part: str) -> dict[str, str]:
    named = zip(("actor", "name", "role"), part.split(_WITHIN, 2), strict=False)
    return {member: text.strip() for member, text in named if text.strip()}


def _parts(cell: str) -> Iterator[str]:
    return (part.strip() for part in cell.split(_BETWEEN) if part.strip())
