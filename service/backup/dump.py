"""Write a backup: everything of ours as it stood at one instant, in pg_dump's custom format."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.backup.errors import SPREAD, BackupError
from service.backup.programs import advice, fitting_programs, reaching, unwound_by_sigterm
from service.embedded.server import sync_folder
from service.store.contents import EXTENSIONS, SCHEMA, read_contents
from service.store.migration import known_revisions


def back_up(url: str, target: Path | None, *, overwrite: bool = False) -> None:
    """Write a backup of the database at a URL into a file, or where there is none, to standard output.

    Readers and writers go on meanwhile; what they commit after the beginning is not in it. The file has the mode 0600,
    and is there whole or not at all. Raises BackupError.
    """
    contents = read_contents(url)
    if contents.revision is None:
        raise BackupError("There is nothing to back up: the database has no schema of Dateline's.")
    if contents.is_spread:
        raise BackupError(SPREAD)
    if contents.revision not in known_revisions():
        raise BackupError(
            f"The database is at {contents.revision}, of a later release than this one: back it up with that one."
        )
    programs = fitting_programs(contents.major)[0]
    if programs.major < contents.major:
        raise BackupError(
            f"The database is PostgreSQL {contents.major}, and pg_dump here only {programs.major}. "
            f"{advice(contents.major)}"
        )
    database, environment = reaching(url)
    command = [
        str(programs.folder / "pg_dump"), database, "--no-password", "--format=custom", "--no-owner", "--no-privileges",
        *(f"--extension={name}" for name in EXTENSIONS),
        *(f"--table={SCHEMA}.{name}" for name in contents.tables),
    ]  # fmt: skip
    with unwound_by_sigterm():
        if target is None:
            _dump(command, environment)
        else:
            with _written_whole(target, overwrite=overwrite) as part:
                # by name: through a descriptor it would not go back to note where each table's rows begin
                _dump([*command, f"--file={part}"], environment)


def _dump(command: list[str], environment: dict[str, str]) -> None:
    answer = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if answer.returncode != 0:
        said = answer.stderr.decode(errors="replace").strip()
        raise BackupError(f"There is no backup: {said or f'pg_dump ended with {answer.returncode}'}")


@contextmanager
def _written_whole(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make a file for its owner alone, which gets its name once it is written and, by pg_dump, on the disk."""
    try:
        _refuse_existing(target, overwrite=overwrite)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)  # of mode 0600
        part = Path(name)
        try:
            os.close(handle)
            yield part
            _refuse_existing(target, overwrite=overwrite)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}.") from error


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if target.is_dir() or (target.exists() and not overwrite):
        raise BackupError(f"{target} is there already; --overwrite replaces a file, once the new one is written.")
