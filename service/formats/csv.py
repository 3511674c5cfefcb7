"""Comma-separated values (RFC 4180): an event a record, what it is in columns that the first record names.

| column | what stands in it |
|---|---|
| `id`, `key` | which event it is |
| `title`, `summary`, `when`, `status`, `status_reason`, `kind`, `reported_at`, `reason` | as in JSON |
| `place`, `place_name` | the place's slug, and its name as credited |
| `participants` | `slug`, `slug=name`, `slug=name=role` or `slug==role`, several with `; ` between them |
| `topics` | slugs, with `; ` between them |
| `source`, `source_title`, `attributed_to`, `quote` | one claim |
| `claims` | all of them, a JSON array as in an event: instead of those four |
| `timeline`, `start_earliest` … `end_latest`, `known_from`, `version`, `recorded_at`, `created_at` | left aside |

What is left aside is what the service says of an event; `known_from` is its `reported_at`.

An empty cell is as if it were absent. `participants` and `topics` may be JSON arrays, too, as are those that have no
other form.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@`, in Japan their wide forms, too, for a formula, which
somebody else has written; blanks before it may be passed over. A cell that begins with one of all these, or with
apostrophes before one, is written with an apostrophe before it. Of a table that has `recorded_at`, as all have that are
written here, one is taken away in reading.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from service.formats.writing import Batch, as_json
from service.wire.event import Event, Participant
from service.wire.line import EventLine
from service.wording import counted

MEDIA_TYPE = "text/csv"
_PLAIN = ("id", "key", "title", "summary", "when", "status", "status_reason", "kind", "reported_at", "reason")
_PLACE = {"place": "place", "place_name": "name"}
_CLAIM = {"source": "source", "source_title": "title", "attributed_to": "attributed_to", "quote": "quote"}
_BOUNDS = ("start_earliest", "start_latest", "end_earliest", "end_latest")
# What is answered of an event, and makes none.
_ANSWERED = ("timeline", *_BOUNDS, "known_from", "version", "recorded_at", "created_at")
COLUMNS = (*_PLAIN, *_PLACE, "participants", "topics", *_CLAIM, "claims", *_ANSWERED)
_WRITTEN = (
    "id", "title", "when", "status", "status_reason", "kind", "place", "place_name", "participants", "topics",
    "summary", "claims", *_ANSWERED,
)  # fmt: skip
_BETWEEN = ";"
_WITHIN = "="
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\s]")
_MADE_PLAIN = re.compile(r"'+[=+\-@＝＋－＠\s]")
_RECORD_LINES = 4
_FAULTS = (csv.Error, UnicodeDecodeError)


def read_csv(file: BinaryIO, *, line_bytes: int) -> Lines:
    """Read events record by record, each with the number of its last line; a byte order mark is passed over.

    A record has at most four times `line_bytes`: a quote within JSON takes two bytes, each of which a cell doubles.
    Raises UnreadableFileError for a first record that names no columns, or others than there are.
    """
    record_bytes = line_bytes * _RECORD_LINES
    csv.field_size_limit(record_bytes)
    text = _Text(file, record_bytes)
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
    except ValueError as error:
        return UnreadableLine(number, text, str(error))


def _written(cells: list[str]) -> bytes:
    """Write a record as it could have stood there."""
    return _record(cells).removesuffix(b"\r\n")


def _members(cells: Mapping[str, str]) -> dict[str, Any]:
    """Make of a record's cells what a client would send as JSON."""
    is_ours = "recorded_at" in cells
    told = {name: _read_cell(cell) if is_ours else cell for name, cell in cells.items() if cell.strip()}
    members: dict[str, Any] = {name: told[name] for name in _PLAIN if name in told}
    place = {member: told[column] for column, member in _PLACE.items() if column in told}
    if place:
        members["place"] = place
    members["participants"] = _listed(told.get("participants", ""), _participant)
    members["topics"] = _listed(told.get("topics", ""), str)
    claim = {member: told[column] for column, member in _CLAIM.items() if column in told}
    if claim and "claims" in told:
        raise ValueError("has claims and one claim's source: they stand in one column, or in columns of their own")
    if claim:
        members["claims"] = [claim]
    elif "claims" in told:
        members["claims"] = _array(told["claims"])
    return members


def _read_cell(cell: str) -> str:
    return cell[1:] if _MADE_PLAIN.match(cell) else cell


def _listed(cell: str, read: Callable[[str], object]) -> object:
    """Read what stands in a cell several times; no slug begins as an array does."""
    return _array(cell) if cell.lstrip().startswith("[") else [read(one) for one in _parts(cell)]


def _array(cell: str) -> object:
    """Read a JSON array; of what is none the event's own check says that it is none."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _participant(part: str) -> dict[str, str]:
    named = zip(("actor", "name", "role"), part.split(_WITHIN, 2), strict=False)
    return {member: text.strip() for member, text in named if text.strip()}


def _parts(cell: str) -> Iterator[str]:
    return (part.strip() for part in cell.split(_BETWEEN) if part.strip())


class CsvWriter:
    """Writes events as records that `read_csv` makes the same events of."""

    def begin(self) -> bytes:
        """Name the columns."""
        return _record(_WRITTEN)

    def write(self, batch: Batch) -> bytes:
        """Write some events more."""
        return b"".join(_record(map(_cell, _values(one))) for one in batch.events)

    def end(self) -> bytes:
        """Write nothing: the last record ends as all do."""
        return b""


def _record(cells: Iterable[str]) -> bytes:
    text = StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _values(event: Event) -> list[str]:
    """Give the cells of an event, in the order of `_WRITTEN`."""
    place = event.place
    claims = [one.model_dump(mode="json", exclude_none=True) for one in event.claims]
    start, end = event.bounds.start, event.bounds.end
    found: dict[str, str | None] = {
        "id": str(event.id),
        "title": event.title,
        "when": event.when,
        "status": event.status,
        "status_reason": event.status_reason,
        "kind": event.kind,
        "place": None if place is None else place.place,
        "place_name": None if place is None else place.name,
        "participants": _participants(event.participants),
        "topics": f"{_BETWEEN} ".join(event.topics),
        "summary": event.summary,
        "claims": as_json(claims).decode() if claims else None,
        "timeline": event.timeline,
        "start_earliest": start.earliest,
        "start_latest": start.latest,
        "end_earliest": end.earliest,
        "end_latest": end.latest,
        # under another name than the one that says so of a report: who changes a row reports something new
        "known_from": event.reported_at,
        "version": str(event.version),
        "recorded_at": event.recorded_at,
        "created_at": event.created_at,
    }
    return [found[name] or "" for name in _WRITTEN]


def _participants(participants: Sequence[Participant]) -> str:
    """Write who takes part as it can be read: a name may have the signs that stand between."""
    cell = f"{_BETWEEN} ".join(
        _WITHIN.join([one.actor, one.name] if one.role is None else [one.actor, one.name, one.role])
        for one in participants
    )
    members = [one.model_dump(exclude_none=True) for one in participants]
    return cell if _listed(cell, _participant) == members else as_json(members).decode()
