"""What every reader of events gives: lines that could be read, and those that could not, by their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


def batches(lines: Lines, size: int) -> Iterator[Sequence[ReadLine | UnreadableLine]]:
    """Gather lines, so many at a time."""
    found: list[ReadLine | UnreadableLine] = []
    for one in lines:
        found.append(one)
        if len(found) == size:
            yield found
            found = []
    if found:
        yield found
