"""A disk of a few megabytes, to be filled up: a tmpfs, which takes root and Linux to be mounted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import missing

MIB = 1024 * 1024


class TinyDisk:
    """A mounted disk; `path` is its root, which any user may enter."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._balloon = path / "balloon"

    @property
    def free_bytes(self) -> int:
        """Give how much may still be written."""
        return shutil.disk_usage(self.path).free

    def fill(self, *, left_bytes: int = 0) -> None:
        """Leave so much room, and no more."""
        with suppress(OSError), self._balloon.open("ab", buffering=0) as balloon:
            while (room := self.free_bytes - left_bytes) > 0:
                balloon.write(bytes(min(room, MIB)))

    def make_room(self) -> None:
        """Take away what fills it."""
        self._balloon.unlink()


@contextmanager
def tiny_disk(mebibytes: int) -> Iterator[TinyDisk]:
    """Mount a disk of so many MiB for a block; skip the test where that cannot be."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        missing("root on Linux, to mount a small disk")
    # not below pytest's own folder, which is private
    with tempfile.TemporaryDirectory(prefix="dateline-disk-") as place:
        options = f"size={mebibytes}m,mode=0755"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            missing("the right to mount a small disk")
        try:
            yield TinyDisk(Path(place))
        finally:
            # whoever still ends on it keeps it until then, and no longer
            subprocess.run(["umount", "--lazy", place], check=True)
