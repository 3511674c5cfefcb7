from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Make a folder that any user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="dateline-public-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
