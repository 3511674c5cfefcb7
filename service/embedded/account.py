"""Whose process PostgreSQL is: it refuses root, so root lends it an unprivileged account."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import NamedTuple

from service.embedded.errors import EmbeddedError

UNPRIVILEGED_NAME = "nobody"


class Account(NamedTuple):
    """A user and its group, by number."""

    uid: int
    gid: int


def server_account(cluster: Path) -> Account | None:
    """Tell which account the server of this cluster folder takes; None for the present one.

    Root takes the owner of a cluster that is there already, and `nobody` for a new one.
    """
    owner = cluster.stat() if cluster.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise EmbeddedError(
                f"{cluster} belongs to user {owner.st_uid}, and this process runs as user {os.geteuid()}. "
                "Start it as that user, or choose another folder with DATELINE_DATA."
            )
        return None
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_NAME)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and this system has no user {UNPRIVILEGED_NAME!r} to lend it. "
            "Start the service as an ordinary user."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def require_name() -> None:
    """Refuse a user number without an entry in the passwd file, which initdb would refuse less clearly."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EmbeddedError(
            f"This process runs as user {os.geteuid()}, which has no entry in the passwd file, and "
            "PostgreSQL cannot set up a new data folder for such a user. Run it as a named user, or set "
            "DATELINE_DATABASE_URL to a PostgreSQL of your own."
        ) from None


def may_enter(path: Path) -> bool:
    """Tell whether any account may enter this folder, by the mode of it and all its ancestors."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))
