"""What every reader of events gives: lines that could be read, and those that could not, by their numbers.

What they read may be packed by gzip.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from pydantic import ValidationError

from service.wire.line import EventLine

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line as it was read: its number from 1, its bytes, and the event that it says."""

    number: int
    text: bytes
    event: EventLine


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line that is no event: its number from 1, its bytes, and why, member by member or in one sentence."""

    number: int
    text: bytes
    why: ValidationError | str


Lines = Iterator[ReadLine | UnreadableLine]


class UnreadableFileError(Exception):
    """Say why nothing of a file can be read: its text is in no way what it should be; `str()` is one sentence."""


# What is held at a time, however many lines that are.
_MOST_BYTES = 8 * 1024 * 1024
# As many may follow each other: whoever reads on would read for long, and give nothing.
MOST_BLANK_LINES = 10_000
TOO_BLANK = f"is the last of more than {MOST_BLANK_LINES} blank lines, and what follows is not read"

_GZIP = b"\x1f\x8b"
# What is raised for a file that is packed and damaged.
UNPACKABLE = (EOFError, OSError, zlib.error)


def opened(file: BinaryIO) -> BinaryIO:
    """Give what a file holds, unpacked where it is packed."""
    packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file


def take(lines: Lines, most: int) -> list[ReadLine | UnreadableLine]:
    """Take the next lines: so many at most, fewer of long ones; none at the end."""
    found: list[ReadLine | UnreadableLine] = []
    held = 0
    for one in lines:
        found.append(one)
        held += len(one.text)
        if len(found) == most or held > _MOST_BYTES:
            break
    return found


def batches(lines: Lines, most: int) -> Iterator[Sequence[ReadLine | UnreadableLine]]:
    """Gather lines, so many at a time at most."""
    while found := take(lines, most):
        yield found
