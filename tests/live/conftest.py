from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.embedded import EmbeddedPostgres
from service.seeding import seed
from service.store.migration import migrate


@pytest.fixture(scope="session")
def set_up_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answer a data folder with its PostgreSQL, the schema and the first timeline, which nobody uses."""
    data = tmp_path_factory.mktemp("set-up") / "data"
    with EmbeddedPostgres(data) as url:
        migrate(url)
        seed(url)
    return data


@pytest.fixture
def used_path(tmp_path: Path, set_up_data: Path) -> Path:
    """Answer a folder of this test alone, whose data are set up: for a test of what comes after that."""
    subprocess.run(["cp", "--archive", set_up_data, tmp_path / "data"], check=True)  # whose they are stays
    return tmp_path


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Make a folder that any user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="dateline-public-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
