"""The folder in which several server processes keep their figures, each where the others find them.

That is the Prometheus library's own way; it looks for the folder when it is loaded.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger("dateline.figures")

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The files of a process, by what they hold; the figures of all routes fill a third of one.
FILES = ("counter", "gauge_livesum", "histogram")
ROOM_BYTES = 1024 * 1024


@contextmanager
def figures_shared() -> Iterator[None]:
    """Give the server processes that are started in this block a folder. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix="dateline-figures-") as name:
        os.environ[SHARED_FOLDER] = name
        yield


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
