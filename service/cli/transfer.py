"""Commands that bring many events in, and write them out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, cast

import typer
from isal import igzip

from service import archiving, intake, serving, unarchiving
from service.backup import is_backup
from service.cli.environment import EXIT_FAILED, read_settings
from service.formats import csv
from service.formats.archive import is_archive
from service.formats.reading import UnreadableFileError
from service.import_report import ArchiveReport, Report, shown_count, shown_progress
from service.whole_file import written_whole
from service.wording import counted

STANDARD_OUTPUT = Path("-")
PACKED = ".gz"


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files of events; - is standard input.", metavar="FILE…")],
    *,
    timeline: Annotated[str | None, typer.Option(help="The slug of the timeline that they go into.")] = None,
    format_: Annotated[
        Literal["ndjson", "csv"] | None, typer.Option("--format", help="What they are, where the name does not tell.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes that write at the same time.")] = 1,
    atomic: Annotated[bool, typer.Option("--atomic", help="Write all or nothing, in one transaction.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, and write nothing.")] = False,
    rejects: Annotated[Path | None, typer.Option(help="Write the lines that are refused into this file.")] = None,
) -> None:
    """Import events from files, as `POST …/import` does: newline-delimited JSON (.ndjson, .jsonl) or tables (.csv).

    Each may be compressed (.gz). A thousand lines are written at a time, and each line that is refused is told, with
    its number. Run it again after it was stopped: what is there already is left alone. With several jobs no event
    should stand twice in a file. The PostgreSQL that comes along serves one process: stop the service before, or ask
    it over HTTP.

    What `dateline export` wrote is imported as it was: timelines, directory, and each event with its identity and
    its whole history. It names its timelines itself. What is there otherwise is refused, and stays. Of the options,
    --jobs and --dry-run have a meaning for it.
    """
    for path in files:
        if path != intake.STANDARD_INPUT and not path.is_file():
            raise typer.BadParameter(f"there is no file {path}", param_hint="FILE")
    with ExitStack() as stack:
        there = [stack.enter_context(intake.as_file(path)) for path in files]
        named = list(zip(there, files, strict=True))
        for file, name in named:
            if is_backup(file):
                raise typer.BadParameter(f"{name} is a backup, which `dateline restore` takes", param_hint="FILE")
        if any(map(is_archive, there)):
            _import_archives(named, jobs=jobs, trial=dry_run, others=timeline or format_ or atomic or rejects)
            return
        if timeline is None:
            raise typer.BadParameter("say into which timeline they go", param_hint="--timeline")
        order = intake.Order(timeline, trial=dry_run, atomic=atomic)
        _import_events(order, named, format_, jobs=jobs, rejects=rejects)


def _import_events(
    order: intake.Order, named: list[tuple[Path, Path]], format_: str | None, *, jobs: int, rejects: Path | None
) -> None:
    kinds = [intake.FORMATS[f".{format_}"] if format_ else _media_type(name) for _, name in named]
    if rejects and len(kinds) > 1 and csv.MEDIA_TYPE in kinds:
        raise typer.BadParameter("what is refused of a table goes into a file of its own", param_hint="--rejects")
    with ExitStack() as stack:
        files = [stack.enter_context(intake.unpacked(file, name)) for file, name in named]
        found = list(zip(files, kinds, strict=True))
        url = stack.enter_context(serving.prepared_database(read_settings()))
        sink = stack.enter_context(_made(rejects)) if rejects else None
        if sink is not None:
            sink.write(intake.header(*found[0]))
        read = stack.enter_context(shown_progress(intake.total_bytes(found)))
        report = Report({file: name for file, (_, name) in zip(files, named, strict=True)}, sink)

        def tell(outcome: intake.Outcome) -> None:
            read(outcome.bytes_read)
            report.note(outcome)

        intake.bring_in(url, order, found, jobs=jobs, told=tell)
    if order.atomic and report.refused:
        refused = counted(report.refused, "line is", "lines are")
        typer.echo(f"dateline: nothing was written: {refused} refused", err=True)
        raise typer.Exit(EXIT_FAILED)
    typer.echo(report.summary(trial=order.trial))
    if report.refused:
        raise typer.Exit(EXIT_FAILED)


def _made(path: Path) -> BinaryIO:
    """Make a file that is not there yet: it might be one of those that are read."""
    try:
        return path.open("xb")
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be made: {error.strerror}", param_hint="--rejects") from error


def _media_type(path: Path) -> str:
    name = path.name.lower().removesuffix(PACKED)
    found = intake.FORMATS.get(Path(name).suffix)
    if found is None:
        raise typer.BadParameter(f"say with --format what {path} is", param_hint="FILE")
    return found


def _import_archives(named: list[tuple[Path, Path]], *, jobs: int, trial: bool, others: object) -> None:
    if not all(is_archive(file) for file, _ in named):
        raise typer.BadParameter("an archive is imported alone, or with others", param_hint="FILE")
    if others:
        raise typer.BadParameter("an archive is imported as it is: of options, --jobs and --dry-run have a meaning")
    report = ArchiveReport()
    with serving.prepared_database(read_settings()) as url:
        for file, name in named:
            try:
                with shown_progress(file.stat().st_size) as read:
                    unarchiving.bring_back(url, file, jobs=jobs, trial=trial, told=report.of(name, read))
            except UnreadableFileError:
                # what stands before the place where it cannot be read is there
                typer.echo(report.summary(trial=trial))
                raise
    typer.echo(report.summary(trial=trial))
    if report.refused:
        raise typer.Exit(EXIT_FAILED)


def export(
    file: Annotated[Path, typer.Argument(help="The file to write; - is standard output.", allow_dash=True)],
    *,
    timeline: Annotated[list[str] | None, typer.Option(help="Write this timeline alone; may be repeated.")] = None,
    present: Annotated[bool, typer.Option("--present", help="Write events as they are now, an event a line.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write whole timelines into an archive, which `dateline import` brings into this or another database.

    It has every state that each event ever had, deleted ones too, and what of the directory they name: lines of JSON,
    compressed where the file's name ends with .gz. What was purged is not in it, nor keys, webhooks and the change
    feed. The file is there whole or not at all, and readable by its owner alone.

    With --present it has no more than `GET …/events?format=ndjson` answers, for all timelines.
    """
    if file == STANDARD_OUTPUT and sys.stdout.isatty():
        raise typer.BadParameter("a terminal is no place for an archive: name a file, or pipe it on")
    write = archiving.write_documents if present else archiving.write_archive
    with (
        serving.database_as_it_is(read_settings()) as url,
        _target(file, overwrite=overwrite) as target,
        shown_count("Exporting") as told,
    ):
        totals = write(url, timeline or [], target, told)
    if file != STANDARD_OUTPUT:
        states = "" if present else f", {counted(totals.states, 'state')}"
        typer.echo(f"Exported {counted(totals.timelines, 'timeline')}: {counted(totals.events, 'event')}{states}.")


@contextmanager
def _target(file: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open what an export goes into; a file gets its name once it is whole."""
    if file == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with written_whole(file, overwrite=overwrite) as part, part.open("wb") as made:
        if file.suffix == PACKED:
            # Without a time and a name, the same events make the same file on the same kind of processor: what is
            # found to be alike depends on it. At a twentieth of zlib's cost.
            packed = igzip.IGzipFile(filename="", mode="wb", fileobj=made, mtime=0)  # type: ignore[no-untyped-call]  # isal leaves it bare
            with packed:
                yield cast("BinaryIO", packed)
        else:
            yield made
        made.flush()
        os.fsync(made.fileno())
