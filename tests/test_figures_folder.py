"""The folder of the figures of several processes: gone with the process that made it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.figures_folder import SHARED_FOLDER, figures_shared

ROOT = Path(__file__).parents[1]
PROGRAM = """
import os, sys
from service.figures_folder import SHARED_FOLDER, figures_shared
with figures_shared():
    print(os.environ[SHARED_FOLDER], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(SHARED_FOLDER, "")  # which is put back


@contextmanager
def another(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a process that shares figures, and give its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    with another(tmp_path) as (_, living), another(tmp_path) as (killed, left):
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        # not locked yet; of an earlier release; no folder of figures
        others = [tmp_path / name for name in ("dateline-figures-new", "dateline-figures-old", "another")]
        for one in others:
            one.mkdir()
        (others[1] / "counter_1.db").touch()
        (others[2] / "lock").touch()
        assert left.is_dir()
        with figures_shared():
            own = Path(os.environ[SHARED_FOLDER])
            assert sorted(tmp_path.iterdir()) == sorted([own, living, *others])
            with figures_shared():
                assert own.is_dir()
    assert sorted(tmp_path.iterdir()) == sorted(others)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_another_users_folder_is_left(tmp_path: Path) -> None:
    theirs = tmp_path / "dateline-figures-theirs"
    theirs.mkdir()
    (theirs / "lock").touch()
    os.chown(theirs, 12345, 12345)
    with figures_shared():
        assert theirs.is_dir()
