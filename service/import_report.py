"""What a person is told of an import on the command line: how far it is, which lines are refused, how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from service.importing import MOST_ERRORS
from service.intake import Outcome, Rejected
from service.store.importing import Tally
from service.unarchiving import Came, Told
from service.wording import counted


class Report:
    """The report of an import of files; `names` are what each is called, `sink` takes the lines that are refused."""

    def __init__(self, names: Mapping[Path, Path], sink: BinaryIO | None) -> None:
        self.refused = 0
        self._tally = Tally()
        self._shown = 0
        self._names = names
        self._sink = sink

    def note(self, outcome: Outcome) -> None:
        """Note what became of some lines, and tell why the first of all that are refused are."""
        self._tally.add(outcome.tally)
        self.refused += len(outcome.rejected)
        for one in outcome.rejected:
            if self._sink is not None:
                self._sink.write(one.text + b"\n")
            self._tell(one, self._names[outcome.path])

    def _tell(self, rejected: Rejected, name: Path) -> None:
        for error in rejected.errors[: MOST_ERRORS - self._shown]:
            self._shown += 1
            of = f"{name}, " if len(self._names) > 1 else ""
            place = f", {error.pointer}" if error.pointer else ""
            typer.echo(f"dateline: {of}line {error.line}{place}: {error.detail}", err=True)

    def summary(self, *, trial: bool) -> str:
        """Say in a line what became of all."""
        would, tally = " would be" if trial else "", self._tally
        return (
            f"{tally.created}{would} created, {tally.amended}{would} amended, {tally.unchanged} unchanged, "
            f"{tally.deleted} deleted before, {self.refused} refused."
        )


class ArchiveReport:
    """The report of an import of archives."""

    def __init__(self) -> None:
        self.refused = 0
        self._total = Came()

    def of(self, path: Path, read: Callable[[int], object]) -> Told:
        """Give what is to be told of a file: how far it has been read, and what became of some of it."""
        position = 0

        def note(reached: int, came: Came) -> None:
            nonlocal position
            read(reached - position)
            position = reached
            self._note(came, path)

        return note

    def _note(self, came: Came, path: Path) -> None:
        for error in came.errors[: max(0, MOST_ERRORS - self.refused)]:
            line = f", line {error.line}" if error.line is not None else ""
            place = f", {error.pointer}" if error.pointer else ""
            typer.echo(f"dateline: {path}{line}{place}: {error.detail}", err=True)
        self.refused += len(came.errors)
        self._total.created += came.created
        self._total.unchanged += came.unchanged
        self._total.entries += came.entries

    def summary(self, *, trial: bool) -> str:
        """Say in a line what became of all."""
        would, total = " would be" if trial else "", self._total
        return (
            f"{counted(total.created, 'event')}{would} created, {total.unchanged} unchanged; "
            f"{counted(total.entries, 'timeline or entry', 'timelines and entries')} of the directory{would} created; "
            f"{self.refused} refused."
        )


@contextmanager
def shown_progress(length: int) -> Iterator[Callable[[int], object]]:
    """Show on a terminal how many of so many bytes have been read, elsewhere nothing; it is told of what is read."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with typer.progressbar(length=length, label="Importing", file=sys.stderr) as bar:
        yield bar.update


@contextmanager
def shown_count(label: str) -> Iterator[Callable[[int], object]]:
    """Show on a terminal how many have been done, elsewhere nothing; it is told of how many more."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    done = 0

    def show(more: int) -> None:
        nonlocal done
        done += more
        typer.echo(f"\r{label}: {done:,}", err=True, nl=False)

    yield show
    typer.echo(err=True)
