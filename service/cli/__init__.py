"""The `dateline` command: run the service, and the steps of running it one by one."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Annotated
from uuid import UUID

import psycopg
import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from service import keyring, purging, recounting, rerendering, seeding, serving
from service.announcing import kept_in
from service.backup import BackupError, back_up, put_back
from service.cli import transfer
from service.cli.environment import EXIT_FAILED, EXIT_USAGE, read_settings
from service.embedded import EmbeddedError
from service.errors import DatelineError
from service.formats.reading import UnreadableFileError
from service.settings import list_settings
from service.signals import unwound_by_sigterm
from service.store.contents import count_contents
from service.whole_file import CannotWriteError
from service.wire.key import KeyBody
from service.wire.values import FORMS
from service.wording import counted, in_words

HELP = """\
Dateline keeps the events of a developing story with dates as precise as they are known, and answers which
of them certainly, and which possibly, fall into a window of time.

\b
Start here:
  dateline serve       run it, on a PostgreSQL that comes along, and open the printed address
  dateline settings    what can be set in the environment, and what is set now

\b
Every setting is an environment variable:
  DATELINE_PORT=9000 dateline serve
  DATELINE_DATABASE_URL=postgresql://me@db.example/dateline dateline serve

Exit codes: 0 done, or of `serve` and `worker`: stopped by Ctrl-C or SIGTERM; 1 it could not be done; 2 a setting
or the command line is wrong; 130 another command was stopped.
"""
# What a person can put right; each says it in a sentence.
EXPLAINED = (
    DatelineError,
    BackupError,
    CannotWriteError,
    EmbeddedError,
    UnreadableFileError,
    serving.CannotServeError,
)

app = typer.Typer(
    name="dateline",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer's callback
    if wanted:
        typer.echo(f"dateline {importlib.metadata.version('dateline')}")
        raise typer.Exit


@app.callback()
def common(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take what comes before a command."""


@app.command()
def serve() -> None:
    """Run the service until Ctrl-C or SIGTERM.

    Starts the PostgreSQL that comes along, on the folder DATELINE_DATA, unless DATELINE_DATABASE_URL names
    another; brings the schema up to date; loads the first timeline where there is none yet; then answers on
    DATELINE_HOST and DATELINE_PORT.
    """
    serving.serve(read_settings(), _announce)


@app.command()
def worker() -> None:
    """Send webhooks, and nothing else, until Ctrl-C or SIGTERM.

    The server processes do this by themselves unless DATELINE_WORKER is false. Any number of workers share the work;
    all of them use the database that DATELINE_DATABASE_URL names. One that is killed loses nothing: another sends
    what it had taken.
    """
    serving.work(read_settings())


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date.

    `serve` does this by itself at every start; several processes may do it at once. Running it again
    changes nothing.
    """
    with serving.prepared_database(read_settings()):
        pass
    typer.echo("The schema is up to date.")


@app.command()
def seed() -> None:
    """Load the first timeline, syria-2013.

    It was read out of one newspaper article. `serve` does this by itself where there is no timeline yet. Running it
    again changes nothing.
    """
    with serving.prepared_database(read_settings()) as url:
        written = seeding.seed(url)
    typer.echo(f"{written} events written." if written else "The timeline was there already; nothing changed.")


@app.command()
def purge(
    timeline: Annotated[str, typer.Argument(help="The timeline's slug.")],
    event: Annotated[UUID, typer.Argument(help="The event's identity.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove an event, and all that was ever known of it, for good.

    A deleted event leaves its history, which may be what the law wants gone. That it was there, and that it was
    purged, stays in the change feed. The PostgreSQL that comes along serves one process: stop the service before.
    """
    if not yes:
        typer.confirm(f"Remove event {event} of {timeline} and its whole history? This cannot be undone.", abort=True)
    with serving.existing_database(read_settings()) as url:
        gone = purging.purge(url, timeline, event)
    typer.echo(f"Purged, with {counted(gone, 'state')}.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; - is standard output.", allow_dash=True)],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write all that the database holds into one file, while the service goes on.

    It is of pg_dump's custom format, whole or not there at all, and readable by its owner alone: webhooks' secrets are
    in it. PostgreSQL's client programs must be on this machine, of the server's version or later.
    """
    target = None if file == Path("-") else file
    if target is None and sys.stdout.isatty():
        raise typer.BadParameter("a terminal is no place for a backup: name a file, or pipe it on")
    with serving.database_as_it_is(read_settings()) as url:
        back_up(url, target, overwrite=overwrite)
    if target is not None:
        typer.echo(f"Backed up into {target}: {target.stat().st_size} bytes.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `dateline backup` wrote; - is standard input.")],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Give up what the database holds.")] = False,
) -> None:
    """Put a backup into the database, all of it or nothing, and bring it to this release.

    The database must be empty, unless told otherwise, and no service may use it meanwhile. Followers of a change feed
    are told to start again; webhooks send nothing until each is enabled again; keys are those of the backup, revoked
    since or not. What comes on standard input is kept below TMPDIR, for its owner alone, until it is done.
    """
    source = None if file == Path("-") else file
    if sys.stdin.isatty() if source is None else not source.is_file():
        raise typer.BadParameter(f"a backup is a file, or piped in: {file} is neither", param_hint="FILE")
    settings = read_settings()
    with serving.database(settings) as url:
        put_back(serving.owner_url(settings, url), source, replace=replace)
        serving.prepare(settings, url)
        contents = count_contents(serving.owner_url(settings, url))
        faults = sum(map(bool, recounting.check_histograms(url).values()))
    typer.echo(f"Restored: {', '.join(counted(number, name) for name, number in contents.items())}.")
    typer.echo(f"Histograms: {f'{faults} wrong; `dateline histogram rebuild` mends them' if faults else 'right'}.")
    typer.echo("Webhooks send nothing until each is enabled again; `dateline keys list` shows which keys are good.")
    if settings.migration_database_url is None and settings.database_url is not None:
        typer.echo("What other roles were granted is gone: a start with both database URLs grants the service's anew.")


app.command("import")(unwound_by_sigterm()(transfer.import_files))
app.command("export")(unwound_by_sigterm()(transfer.export))

histogram = typer.Typer(
    help="Check or rebuild the summaries that histograms of whole timelines are read from.\n\nThey are kept in the "
    "transactions that write events, and need no care.",
    no_args_is_help=True,
)
app.add_typer(histogram, name="histogram")
OneTimeline = Annotated[str | None, typer.Argument(help="The timeline's slug; all timelines when left out.")]


@histogram.command("check")
def check_histogram(timeline: OneTimeline = None) -> None:
    """Compare the summaries with the events; the exit code is 1 where one is wrong."""
    with serving.existing_database(read_settings()) as url:
        faults = recounting.check_histograms(url, timeline)
    for slug, buckets in faults.items():
        found = f"{counted(buckets, 'bucket is', 'buckets are')} wrong" if buckets else "right"
        typer.echo(f"{slug}: {found}")
    if any(faults.values()):
        raise typer.Exit(EXIT_FAILED)


@histogram.command("rebuild")
def rebuild_histogram(timeline: OneTimeline = None) -> None:
    """Make the summaries anew from the events; the service may go on meanwhile."""
    with serving.existing_database(read_settings()) as url:
        faults = recounting.rebuild_histograms(url, timeline)
    for slug, buckets in faults.items():
        found = f"{counted(buckets, 'bucket was', 'buckets were')} wrong" if buckets else "was right"
        typer.echo(f"{slug}: {found}")


documents = typer.Typer(
    help="Count the documents of an older shape, or bring them to this release's.\n\nAn event's finished document is "
    "stored beside it. A release that gives it another shape says so in its notes; until its documents are rendered "
    "again they are read as they were written.",
    no_args_is_help=True,
)
app.add_typer(documents, name="documents")


@documents.command("check")
def check_documents() -> None:
    """Count the documents of an older shape; the exit code is 1 where there are any."""
    with serving.existing_database(read_settings()) as url:
        older = rerendering.count(url)
    found = f"{counted(older, 'document is', 'documents are')} of an older shape"
    typer.echo(f"{found if older else 'All documents have the present shape'}.")
    if older:
        raise typer.Exit(EXIT_FAILED)


@documents.command("rerender")
def rerender_documents() -> None:
    """Bring all documents to the present shape; the service may go on meanwhile.

    Once no process of an earlier release writes any more. When it is interrupted and run again, it goes on with what is
    left. Versions stay, and the change feed says nothing of it; entity tags change.
    """
    with serving.existing_database(read_settings()) as url:
        done = rerendering.rerender(url)
        left = rerendering.count(url)
    have, are = counted(done, "document has", "documents have"), counted(left, "is", "are")
    typer.echo(f"{have} the present shape now; {are} of an older one.")
    if left:
        raise typer.Exit(EXIT_FAILED)


keys = typer.Typer(
    help="Make, list, rotate and revoke keys.\n\nA running service that keeps its own database is asked over HTTP "
    "instead, with the key in DATELINE_DATA/admin.key: `POST /v1/keys`.",
    no_args_is_help=True,
)
app.add_typer(keys, name="keys")
# What the members of a key are called on the command line.
_OPTIONS: Mapping[int | str, str] = {
    "name": "NAME",
    "scopes": "--scope",
    "timelines": "--timeline",
    "expires_at": "--days",
}
Prefix = Annotated[str, typer.Argument(help="The key's prefix, as `dateline keys list` shows it.")]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    *,
    scope: Annotated[list[str] | None, typer.Option(help="read, write or admin; may be repeated.")] = None,
    timeline: Annotated[list[str] | None, typer.Option(help="Limit it to this timeline; may be repeated.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Let it expire after so many days.")] = None,
) -> None:
    """Make a key and print it, this once; with the scope write unless told otherwise."""
    asked = {"name": name, "scopes": scope or ["write"], "timelines": timeline, "expires_at": keyring.in_days(days)}
    try:
        body = KeyBody.model_validate(asked)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            what = _OPTIONS[one["loc"][0]] if one["loc"] else "the key:"
            typer.echo(f"dateline: {what} {in_words(one, FORMS)}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    with serving.prepared_database(read_settings()) as url:
        made, text = keyring.create(url, body)
    typer.echo(f"{made.prefix} may {keyring.opens(made)}. The key, shown this once:", err=True)
    typer.echo(text)


@keys.command("list")
def list_keys() -> None:
    """List all keys: prefix, name, what each may do, and whether it still does."""
    settings = read_settings()
    with serving.existing_database(settings) as url:
        found = keyring.list_all(url)
    for key in found:
        typer.echo(keyring.describe(key))
    if not found:
        typer.echo(f"No keys. Looked in {kept_in(settings)}.", err=True)


@keys.command("rotate")
def rotate_key(
    prefix: Prefix,
    *,
    overlap_hours: Annotated[int, typer.Option(min=0, max=720, help="How long the old key stays good.")] = 24,
) -> None:
    """Make a key that takes another's place, and print it, this once."""
    with serving.existing_database(read_settings()) as url:
        made, text = keyring.rotate(url, prefix, overlap_hours * 3600)
    hours = counted(overlap_hours, "hour")
    typer.echo(f"{made.prefix} replaces {prefix}, good for {hours}. The key, shown this once:", err=True)
    typer.echo(text)


@keys.command("revoke")
def revoke_key(prefix: Prefix) -> None:
    """Have a key open nothing from now on."""
    with serving.existing_database(read_settings()) as url:
        keyring.revoke(url, prefix)
    typer.echo(f"{prefix} is revoked.")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the HTTP interface.

    It is JSON, and what a running service sends at /openapi.json. No database is needed.
    """
    # Not above: making the application takes as long as everything else here together.
    from service.app import create_app  # noqa: PLC0415

    typer.echo(json.dumps(create_app(read_settings()).openapi(), ensure_ascii=False, indent=2))


@app.command()
def settings() -> None:
    """List every setting and its present value.

    Each comes with what it means, its default and its unit. What else the environment has that looks like a setting
    is remarked upon. Secrets are not shown; a database URL is shown without its password.
    """
    for line in list_settings(read_settings()):
        unit = f" ({line.unit})" if line.unit else ""
        typer.echo(f"{line.variable}={line.present}\n    {line.meaning} Default: {line.default}{unit}.")


def _announce(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()


def main() -> None:
    """Run the command; what a person can put right is one sentence on standard error, not a traceback."""
    try:
        app()
    except EXPLAINED as error:
        reason = str(error)
    except BrokenProcessPool:
        reason = "a process of its own was ended from outside: run it again, and it goes on where it was"
    except (psycopg.Error, DBAPIError) as error:
        reason = f"The database refused: {serving.first_line(error)}"
    else:
        return
    typer.echo(f"dateline: {reason}", err=True)
    sys.exit(EXIT_FAILED)
