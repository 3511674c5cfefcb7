"""Newline-delimited JSON: an object a line, in UTF-8. Blank lines count, and say nothing."""

from __future__ import annotations

from typing import BinaryIO

from pydantic import ValidationError

from service.formats.reading import MOST_BLANK_LINES, TOO_BLANK, Lines, ReadLine, UnreadableFileError, UnreadableLine
from service.formats.writing import Batch
from service.wire.archive import MARK
from service.wire.line import EventLine

MEDIA_TYPE = "application/x-ndjson"
_SHOWN_BYTES = 1_000


def read_ndjson(file: BinaryIO, *, line_bytes: int, end: int | None = None) -> Lines:
    """Read events line by line, each of at most so many bytes; a longer one is passed over unread.

    Lines that begin at or behind the position `end` are left. Raises UnreadableFileError for an archive.
    """
    number = blank = 0
    while end is None or file.tell() < end:
        text = file.readline(line_bytes + 1)
        if not text:
            return
        number += 1
        if number == 1 and text.startswith(MARK):
            raise UnreadableFileError("it is an archive, which `dateline import` takes, and alone")
        if len(text) > line_bytes and not text.endswith(b"\n"):
            _pass_over(file, line_bytes)
            yield UnreadableLine(number, text[:_SHOWN_BYTES], f"is longer than {line_bytes} bytes")
            continue
        stripped = text.strip(b" \t\r\n")
        blank = 0 if stripped else blank + 1
        if stripped:
            yield _read(number, stripped)
        elif blank > MOST_BLANK_LINES:
            yield UnreadableLine(number, b"", TOO_BLANK)
            return


def _pass_over(file: BinaryIO, line_bytes: int) -> None:
    while (rest := file.readline(line_bytes)) and not rest.endswith(b"\n"):
        pass


def _read(number: int, text: bytes) -> ReadLine | UnreadableLine:
    try:
        return ReadLine(number, text, EventLine.model_validate_json(text))
    except ValidationError as error:
        return UnreadableLine(number, text, error)


class NdjsonWriter:
    """Writes the stored documents as they are, an event a line."""

    def begin(self) -> bytes:
        """Write nothing: the first line is the first event."""
        return b""

    def write(self, batch: Batch) -> bytes:
        """Write some events more."""
        return b"".join(b"%b\n" % document for document in batch.documents)

    def end(self) -> bytes:
        """Write nothing: each line has its end."""
        return b""
