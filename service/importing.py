"""An import: lines are read, written some at a time, and what is wrong with each that is refused is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pydantic import ValidationError

from service.errors import DatelineError, Invalid
from service.formats.reading import Lines, ReadLine, UnreadableLine, take
from service.store.importing import Import, Line, Tally
from service.store.statement import Connection
from service.wire.problem import ProblemError, pointer
from service.wire.values import FORMS
from service.wording import in_words

# What is copied in at once.
BATCH_LINES = 250
# How much is told of what is wrong.
MOST_ERRORS = 100

# Told of a line that is refused, and of what is wrong with it, which is put into words as it is taken.
Refuse = Callable[[ReadLine | UnreadableLine, Iterable[ProblemError]], None]


@dataclass(slots=True)
class Refusals:
    """The lines that were refused: how many, and what is wrong with the first of them."""

    lines: int = 0
    errors: list[ProblemError] = field(default_factory=list)

    def note(self, _line: ReadLine | UnreadableLine, errors: Iterable[ProblemError]) -> None:
        """Note that a line is refused."""
        self.lines += 1
        self.errors += islice(errors, MOST_ERRORS - len(self.errors))
        self.errors.sort(key=lambda one: one.line or 0)

    @property
    def are_enough(self) -> bool:
        """Tell whether no more will be told of them."""
        return len(self.errors) >= MOST_ERRORS


async def write_lines(connection: Connection, lines: Lines, into: Import, refuse: Refuse) -> Tally:
    """Write all lines that can be, inside the caller's transaction; `refuse` is told of each other one, and why.

    Raises NotFound without the timeline, and TooLarge and Unavailable as `Import.write` does.
    """
    await into.begin(connection)
    # read in a thread, since others have their turn meanwhile
    while some := await asyncio.to_thread(take, lines, BATCH_LINES):
        for one in some:
            if isinstance(one, UnreadableLine):
                refuse(one, errors_of(one.number, one.why))
        await _write(connection, [one for one in some if isinstance(one, ReadLine)], into, refuse)
    return into.tally


async def _write(connection: Connection, batch: list[ReadLine], into: Import, refuse: Refuse) -> None:
    read = {one.number: one for one in batch}
    for refused in await into.write(connection, [Line(one.number, one.event) for one in batch]):
        refuse(read[refused.number], [_error_of(refused.number, refused.error)])


def _error_of(number: int, error: DatelineError) -> ProblemError:
    place = error.pointer if isinstance(error, Invalid) else None
    return ProblemError(line=number, pointer=place or "", detail=str(error))


def errors_of(number: int, why: ValidationError | str) -> Iterator[ProblemError]:
    """Say member by member what keeps a line from being read, or in one sentence."""
    if isinstance(why, str):
        yield ProblemError(line=number, pointer="", detail=why)
        return
    for one in why.errors(include_url=False):
        if one["type"] == "json_invalid":
            # the reader knows this one line alone, and calls it the first
            why = one["ctx"]["error"].replace(" at line 1 column ", " at column ")
            yield ProblemError(line=number, pointer="", detail=f"is no JSON text: {why}")
        else:
            yield ProblemError(line=number, pointer=pointer(one["loc"]), detail=in_words(one, FORMS))
