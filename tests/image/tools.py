"""The programs of containers, all on one storage folder of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("buildah", "podman", "runc", "debootstrap", "apt-get")


def run(*command: object, environment: Mapping[str, str] | None = None, with_errors: bool = False) -> str:
    """Run a program, and answer what it prints; with its standard error among it, if wanted.

    Raises ProgramFailedError, with all that it said, where it fails.
    """
    outcome = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.PIPE,
        text=True,
        check=False,
        env=os.environ | (environment or {}),
    )
    if outcome.returncode != 0:
        said = f"{outcome.stdout}{outcome.stderr or ''}".strip()
        raise ProgramFailedError(f"{command[0]} ended with {outcome.returncode}: {said[-5000:]}")
    return outcome.stdout.strip()


class ProgramFailedError(Exception):
    """Say which program failed, and what it said."""


class Storage:
    """A place for images and containers that leaves nothing behind."""

    def __init__(self, folder: Path) -> None:
        self._options = [
            "--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs",
        ]  # fmt: skip
        self._policy = folder / "policy.json"
        # What is pulled is judged elsewhere: here nothing is pulled.
        self._policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))

    def buildah(self, command: str, *arguments: object) -> str:
        """Run a command of buildah's."""
        policy = ["--signature-policy", self._policy] if command in ("bud", "commit", "from") else []
        return run("buildah", *self._options, command, *policy, *arguments)

    def podman(
        self,
        command: str,
        *arguments: object,
        environment: Mapping[str, str] | None = None,
        with_errors: bool = False,
    ) -> str:
        """Run a command of podman's; secrets come in its environment, never in its arguments."""
        return run(
            "podman", *self._options, "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
            command, *arguments, environment=environment, with_errors=with_errors,
        )  # fmt: skip

    def add_tree(self, tree: Path, name: str) -> None:
        """Make an image of a folder."""
        container = self.buildah("from", "scratch")
        self.buildah("copy", "--quiet", container, f"{tree}/", "/")
        self.buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        self.buildah("commit", "--quiet", container, name)
        self.buildah("rm", container)


@contextmanager
def temporary_storage() -> Iterator[Storage]:
    """Open a storage for a block; two gigabytes are needed meanwhile."""
    with tempfile.TemporaryDirectory(prefix="dateline-image-", dir="/var/tmp") as folder:
        storage = Storage(Path(folder))
        try:
            yield storage
        finally:
            storage.podman("rm", "--all", "--force", "--time", "5")
            storage.buildah("rm", "--all")
