"""Files that appear once they are complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.embedded.server import sync_folder


class CannotWriteError(Exception):
    """Say why a file is not written; `str()` is a sentence."""


@contextmanager
def written_whole(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make a file for its owner alone (mode 0600), which gets its name once the block has written it to the disk.

    Raises CannotWriteError, for a file that is there and is not to be replaced, too.
    """
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
        raise CannotWriteError(f"{target} cannot be written: {error.strerror}.") from error


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if target.is_dir() or (target.exists() and not overwrite):
        raise CannotWriteError(f"{target} is there already; --overwrite replaces a file, once the new one is written.")
