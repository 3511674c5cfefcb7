"""Write a backup: everything of ours as it stood at one instant, in pg_dump's custom format."""

from __future__ import annotations

import subprocess
from pathlib import Path

from service.backup.errors import SPREAD, BackupError
from service.backup.programs import advice, fitting_programs, reaching
from service.signals import unwound_by_sigterm
from service.store.contents import EXTENSIONS, SCHEMA, read_contents
from service.store.migration import known_revisions
from service.whole_file import CannotWriteError, written_whole


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
            try:
                with written_whole(target, overwrite=overwrite) as part:
                    # by name: through a descriptor it would not go back to note where each table's rows begin
                    _dump([*command, f"--file={part}"], environment)
            except CannotWriteError as error:
                raise BackupError(str(error)) from error


def _dump(command: list[str], environment: dict[str, str]) -> None:
    answer = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if answer.returncode != 0:
        said = answer.stderr.decode(errors="replace").strip()
        raise BackupError(f"There is no backup: {said or f'pg_dump ended with {answer.returncode}'}")
