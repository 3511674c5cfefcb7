"""Another commit beside this work tree: checked out, with its own packages if they differ, loaded by its own code."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.contestants import HERE

_PINS = "requirements/dev.txt"
_NEEDED = (_PINS, "service/__main__.py", "service/store/migration.py", "bench/loading.py")
# Run with a tree as the current directory, where `python -c` looks for modules first.
_LOAD = """
import sys
from bench.loading import load
from service.store.migration import migrate
if __name__ == "__main__":
    migrate(sys.argv[1])
    load(sys.argv[1], int(sys.argv[2]), histories=True)
"""
_KEY = re.compile(r"\bdl_\w+")


class CannotCompareError(Exception):
    """Say in words why a commit cannot be measured."""


class Tree(NamedTuple):
    """A work tree of the project, what to call it, and the Python that runs it."""

    name: str
    folder: Path
    python: str = sys.executable


def this_tree() -> Tree:
    """Give the work tree that this code stands in."""
    has_changes = bool(_git("status", "--porcelain", "--untracked-files=no"))
    return Tree(f"{_git('rev-parse', '--short', 'HEAD')}{' with changes' if has_changes else ''}", HERE)


@contextmanager
def checked_out(commit: str) -> Iterator[Tree]:
    """Check a commit out into a temporary folder; raises CannotCompareError where it cannot be measured."""
    try:
        found = _git("rev-parse", "--verify", "--quiet", "--short", "--end-of-options", f"{commit}^{{commit}}")
    except subprocess.CalledProcessError:
        raise CannotCompareError(f"there is no commit {commit!r}") from None
    with worktree(found) as folder:
        check(folder, found)
        yield Tree(found, folder, _python_for(folder))


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Check a commit out into a folder that goes away with the block, and leave no trace of it."""
    with tempfile.TemporaryDirectory(prefix="dateline-base-") as name:
        folder = Path(name) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def check(folder: Path, commit: str) -> None:
    """Raise CannotCompareError where a tree lacks what is needed to load and serve it."""
    missing = [path for path in _NEEDED if not (folder / path).exists()]
    if missing:
        raise CannotCompareError(f"{commit} has no {' and no '.join(missing)}, without which it cannot be measured")


def fill(tree: Tree, url: str, events: int) -> None:
    """Migrate an empty database and load it, by the tree's own code."""
    _run(tree, "loading made-up events", ["-c", _LOAD, url, str(events)], url)


def make_key(tree: Tree, url: str) -> str:
    """Make a key that may write, by the tree's own command."""
    said = _run(tree, "making a key", ["-m", "service", "keys", "create", "bench", "--scope", "write"], url)
    found: list[str] = _KEY.findall(said)
    if not found:
        raise CannotCompareError(f"{tree.name} tells no key where one is made")
    return max(found, key=len)  # its prefix may be told, too


def _run(tree: Tree, doing: str, arguments: Sequence[str], url: str) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [tree.python, *arguments], cwd=tree.folder, capture_output=True, text=True, check=False,
        env={**os.environ, "DATELINE_DATABASE_URL": url},
    )  # fmt: skip
    if done.returncode != 0:
        raise CannotCompareError(f"{tree.name} fails at {doing}:\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def _python_for(folder: Path) -> str:
    """Give this Python where the tree wants the same packages, else one of an environment that is kept for others."""
    pins = (folder / _PINS).read_bytes()
    if pins == (HERE / _PINS).read_bytes():
        return sys.executable
    environment = HERE / "build" / f"base-{hashlib.sha256(pins).hexdigest()[:12]}"
    python = environment / "bin" / "python"
    stamp = environment / "complete.stamp"
    if not stamp.exists():
        print(f"preparing the environment of that commit in {environment}", flush=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(environment)],
            [*pip, "--require-hashes", "-r", str(folder / _PINS)],
            [*pip, "--no-deps", "--no-build-isolation", str(folder)],  # for its version: the code is the tree's
        ):
            if subprocess.run(command, check=False).returncode != 0:
                raise CannotCompareError(f"the environment of {folder} cannot be prepared")
        stamp.touch()
    return str(python)


def _git(*arguments: str) -> str:
    said: str = subprocess.run(
        ["git", "-C", str(HERE), *arguments],  # noqa: S607  # whichever git is installed
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    return said.strip()
