"""Where tests keep what they make: in memory, where there is room for it.

Databases and folders are set up anew for test after test, and none of them is to outlive the machine: what the disk
would take for each `fsync` proves nothing here. The service under test syncs as it always does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108  # it is looked at, and used by way of tempfile
ROOM_BYTES = 8 * 1024**3  # several times what a whole run has at once


def use_memory() -> None:
    """Have temporary files made in memory, unless the environment names a place for them."""
    if "TMPDIR" not in os.environ and is_roomy(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is found anew


def is_roomy(folder: Path) -> bool:
    """Tell whether files of any size may be written there, and programs be run."""
    return (
        os.access(folder, os.W_OK | os.X_OK)
        and not os.statvfs(folder).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(folder).free >= ROOM_BYTES
        and psutil.virtual_memory().available >= ROOM_BYTES
    )
