"""A container of the image, confined as compose.yaml and the manifest of Kubernetes have it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http.client import HTTPConnection

from tests.image.database import free_port
from tests.image.tools import ProgramFailedError, Storage

IMAGE = "localhost/dateline:test"
START_SECONDS = 180  # on a machine with much else to do
STOP_SECONDS = 30
CONFINED = (
    "--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges",  # noqa: S108
    # runc here has no cgroups of its own, and the machine's limits are below podman's defaults.
    "--network", "host", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:4096",
)  # fmt: skip


class Container:
    """A container, made and not started, whose service listens on a port of its own."""

    def __init__(self, storage: Storage, name: str, settings: Mapping[str, str], *command: str) -> None:
        self.storage = storage
        self.name = name
        self.port = free_port()
        given = {"DATELINE_HOST": "127.0.0.1", "DATELINE_PORT": str(self.port), **settings}
        # By name alone: a value may be secret, and a list of processes is not.
        names = [argument for name in given for argument in ("--env", name)]
        storage.podman("create", "--name", name, *CONFINED, *names, IMAGE, *command, environment=given)

    @property
    def base(self) -> str:
        """The address of its service."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask the service; a status of 0 means that it does not listen yet."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def start(self) -> str:
        """Start it, wait for /health/ready, and answer its address; what it said comes with the refusal."""
        self.storage.podman("start", self.name)
        self.wait_until_ready()
        return self.base

    def wait_until_ready(self) -> None:
        """Wait for /health/ready."""
        deadline = time.monotonic() + START_SECONDS
        while self.get("/health/ready")[0] != 200:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} is not ready:\n{self.logs()}")
            time.sleep(0.2)

    def run(self) -> int:
        """Start it, wait until it ends by itself, and answer its exit code."""
        self.storage.podman("start", self.name)
        return int(self.storage.podman("wait", self.name))

    def execute(self, *command: str, user: str | None = None) -> str:
        """Run a program inside, as the image's user or another."""
        return self.storage.podman("exec", *(["--user", user] if user else []), self.name, *command)

    def fails(self, *command: str) -> bool:
        """Tell whether a program inside cannot run, or fails."""
        try:
            self.execute(*command)
        except ProgramFailedError:
            return True
        return False

    def logs(self) -> str:
        """Read what it printed and logged."""
        return self.storage.podman("logs", self.name, with_errors=True)

    def stop(self) -> int:
        """Stop it as an engine does, and answer its exit code."""
        self.storage.podman("stop", "--time", STOP_SECONDS, self.name)
        return int(self.storage.podman("inspect", "--format", "{{.State.ExitCode}}", self.name))
