"""Put a backup back: all of it or nothing, in one transaction, at the end of which the feed enters another epoch."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from service.backup.errors import SPREAD, BackupError
from service.backup.programs import advice, fitting_programs, reaching
from service.embedded.binaries import Programs
from service.formats.reading import UNPACKABLE, opened
from service.signals import unwound_by_sigterm
from service.store.contents import read_contents, restoring_sql
from service.store.migration import known_revisions

_REVISION = re.compile(rb"^COPY public\.alembic_version \(version_num\) FROM stdin;\n(\w+)\n", re.MULTILINE)
# Of the archive's own, as they would be restored: no owner, no rights, no place on a disk, no word of a superuser's.
_AS_OURS = ("--no-owner", "--no-privileges", "--no-tablespaces", "--no-comments")
# What pg_dump's custom format begins with, and what a line of JSON does.
_MARK, _JSON = b"PGDMP", b"{"
_END_OF_HEADER = b"SELECT pg_catalog.set_config"


class _Archive(NamedTuple):
    """A backup: where it is, and what it is called."""

    path: Path
    name: str


def is_backup(path: Path) -> bool:
    """Tell whether a file is of the format that backups are of."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MARK)) == _MARK
    except OSError:
        return False


def _is_json(path: Path) -> bool:
    """Tell whether a file holds lines of JSON, packed or not."""
    try:
        with path.open("rb") as packed, opened(packed) as file:
            return file.read(len(_JSON)) == _JSON
    except UNPACKABLE:
        return False


def put_back(url: str, source: Path | None, *, replace: bool = False) -> None:
    """Put a backup into the database at a URL, as the role that owns the schema; that is at the backup's release then.

    Without a source it is read from standard input. `replace` gives up what the database holds. Whatever fails, and
    whenever this process is killed, the database stays as it was: the transaction is committed by the last word that is
    said to it. Raises BackupError.
    """
    with unwound_by_sigterm(), _archive(source) as archive:
        _put_back(url, archive, replace=replace)


@contextmanager
def _archive(source: Path | None) -> Iterator[_Archive]:
    """Answer the file: pg_restore goes back and forth in it, so that what comes on standard input is kept in one."""
    if source is not None:
        yield _Archive(source, str(source))
        return
    with tempfile.TemporaryDirectory(prefix="dateline-restore-") as folder:  # of mode 0700
        path = Path(folder) / "backup"
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        except OSError as error:
            raise BackupError(f"Standard input cannot be kept in {folder}: {error.strerror}.") from error
        yield _Archive(path, "Standard input")


def _put_back(url: str, archive: _Archive, *, replace: bool) -> None:
    contents = read_contents(url)
    if contents.is_spread:
        raise BackupError(SPREAD)
    programs = _reading_programs(contents.major, archive)
    revision = _revision(programs, archive)
    if revision not in known_revisions():
        raise BackupError(f"{archive.name} is at {revision}, of a later release than this one: restore it with that.")
    if contents.tables:
        if contents.revision not in known_revisions():
            raise BackupError(
                f"The database holds tables that are not this release's ({contents.tables[0]}, for one): "
                "make a new database, and restore into that."
            )
        if not replace:
            raise BackupError("The database is not empty; --replace gives up what it holds for what is in the backup.")
    if contents.is_served:
        raise BackupError("A service or worker uses the database: stop it first.")
    database, environment = reaching(url)
    before, after = restoring_sql(replace=bool(contents.tables))
    _load(programs, archive, database, environment, before=before, after=after)


def _reading_programs(major: int, archive: _Archive) -> Programs:
    """Choose the programs that read a file, as near to the server's version as may be."""
    complaints = []
    for programs in fitting_programs(major):
        answer = subprocess.run(
            [programs.folder / "pg_restore", "--list", archive.path], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0:
            return programs
        complaints.append(_last_line(answer.stderr))
    if _is_json(archive.path):
        raise BackupError(
            f"{archive.name} is no backup, but lines of JSON: `dateline import` takes archives and events."
        )
    hint = f" {advice(major)}" if "unsupported version" in complaints[0] else ""
    raise BackupError(f"{archive.name} is no backup that can be read here: {complaints[0]}.{hint}")


def _revision(programs: Programs, archive: _Archive) -> str:
    """Read at which revision of the schema a backup was made."""
    answer = subprocess.run(
        [programs.folder / "pg_restore", "--file=-", "--data-only", "--table=alembic_version", archive.path],
        capture_output=True,
        check=False,
    )
    if answer.returncode != 0:
        raise BackupError(f"{archive.name} is damaged: {_last_line(answer.stderr.decode(errors='replace'))}.")
    found = _REVISION.search(answer.stdout)
    if found is None:
        raise BackupError(f"{archive.name} is no backup of Dateline's.")
    return found[1].decode()


def _load(
    programs: Programs, archive: _Archive, database: str, environment: dict[str, str], *, before: str, after: str
) -> None:
    """Have psql run what pg_restore reads."""
    with ExitStack() as opened:
        said_of_file, said_of_database = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        reading = opened.enter_context(
            subprocess.Popen(
                [programs.folder / "pg_restore", "--file=-", *_AS_OURS, archive.path],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said_of_file,
            )
        )  # fmt: skip
        writing = opened.enter_context(
            subprocess.Popen(
                [
                    programs.folder / "psql", database, "--no-password", "--no-psqlrc", "--quiet",
                    "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse",
                ],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said_of_database, env=environment,
            )
        )  # fmt: skip
        try:
            is_whole = _pass_on(reading, writing, before=before, after=after)
            is_done = writing.wait() == 0
        except BaseException:
            for process in (reading, writing):
                process.kill()
            raise
        if not is_whole:
            raise BackupError(f"{archive.name} is damaged: {_words(said_of_file)}. Nothing was changed.")
        if not is_done:
            raise BackupError(f"The database refused, and is as it was: {_words(said_of_database)}.")


def _pass_on(reading: subprocess.Popen[bytes], writing: subprocess.Popen[bytes], *, before: str, after: str) -> bool:
    """Pass the script on between our own words; tell whether it was whole.

    The commit is in the words after it, which are said once all was read: what psql hears before ends in none.
    """
    assert reading.stdout is not None  # noqa: S101  # they were asked for
    assert writing.stdin is not None  # noqa: S101
    is_whole = True
    try:
        writing.stdin.write(before.encode())
        _copy_script(reading.stdout, writing.stdin)
        is_whole = reading.wait() == 0
        if is_whole:
            writing.stdin.write(after.encode())
    except BrokenPipeError:
        pass  # psql has ended, and says why
    finally:
        with suppress(BrokenPipeError):
            writing.stdin.close()
    return is_whole


def _copy_script(script: IO[bytes], taker: IO[bytes]) -> None:
    """Copy a script, but for the time limits that it lifts: the transaction has its own, and older servers lack some.

    Of its header alone, which no row of a table comes before.
    """
    for line in script:
        if not (line.startswith(b"SET ") and b"_timeout = " in line):
            taker.write(line)
        if line.startswith(_END_OF_HEADER):
            break
    shutil.copyfileobj(script, taker)


def _words(said: IO[bytes]) -> str:
    said.seek(0)
    return _last_line(said.read().decode(errors="replace"))


def _last_line(text: str) -> str:
    """Take the last thing that a program said, without its name."""
    lines = text.strip().splitlines() or ["it said nothing"]
    return re.sub(r"^(pg_restore|psql)(:<stdin>:\d+)?: ", "", lines[-1]).removeprefix("error: ").rstrip(".")
