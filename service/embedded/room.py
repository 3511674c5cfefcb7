"""Whether the disk has room for what PostgreSQL must write."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

# A segment of its write-ahead log, which it makes in one piece, and cannot go on without.
LEAST_ROOM_BYTES = 16 * 1024 * 1024


def tell_full(data: Path, said: str = "") -> str | None:
    """Say which disk is full, and what to do; None where there is room.

    `data` is the data folder; the write-ahead log may lie elsewhere. `said` is what PostgreSQL said: it may have made
    room since, by tidying up, or may have found none to say it.
    """
    for place in (data, data / "postgresql" / "pg_wal"):
        try:
            free = shutil.disk_usage(place).free
        except OSError:  # it is not there yet
            continue
        if free < LEAST_ROOM_BYTES or os.strerror(errno.ENOSPC) in said:
            return (
                f"The disk that holds {place} is full, with {free // 1024} KiB left: make room on it, then start "
                "again. Nothing that was acknowledged is lost."
            )
    return None
