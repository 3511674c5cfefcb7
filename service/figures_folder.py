"""The folder in which several server processes keep their figures, each where the others find them.

That is the Prometheus library's own way; it looks for the folder when it is loaded. A folder is locked as long as the
process lives that made it: one that was killed leaves its folder to the next that starts.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

logger = logging.getLogger("dateline.figures")

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The files of a process, by what they hold; the figures of all routes fill a third of one.
FILES = ("counter", "gauge_livesum", "histogram")
_PREFIX = "dateline-figures-"
_LOCK = "lock"
ROOM_BYTES = 1024 * 1024


@contextmanager
def figures_shared() -> Iterator[None]:
    """Give the server processes that are started in this block a folder. Raises OSError."""
    _remove_those_left()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _held(Path(name)):
        os.environ[SHARED_FOLDER] = name
        yield


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, if it can have one: what has none is never removed by another."""
    with ExitStack() as held:
        with suppress(OSError):
            lock = held.enter_context((folder / f"{_LOCK}-new").open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            # it is there once it is held: a lock that nobody holds is of a folder that was left
            Path(lock.name).rename(folder / _LOCK)
        yield


def _remove_those_left() -> None:
    """Remove the folders of processes of this user that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is held, or gone meanwhile
            if folder.lstat().st_uid == os.getuid():
                with (folder / _LOCK).open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)


def reserve_room() -> None:
    """Take the room for the figures of this process; where there is none, it keeps them to itself.

    The files are mapped into memory. Were room taken when it is needed, a full disk would end the process (SIGBUS).
    """
    folder = os.environ.get(SHARED_FOLDER)
    if folder is None:
        return
    files = [Path(folder) / f"{name}_{os.getpid()}.db" for name in FILES]
    try:
        for file in files:
            if not file.exists():  # or a process had the same number, and has its figures there
                file.write_bytes(bytes(ROOM_BYTES))
    except OSError as error:
        logger.error("/metrics tells of one server process at a time: %s", error)  # noqa: TRY400  # no fault of ours
        del os.environ[SHARED_FOLDER]
        for file in files:
            file.unlink(missing_ok=True)
