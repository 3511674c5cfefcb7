"""The README's tour, run as it stands: each command in one shell, each answer compared with what is printed there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from service.settings import Settings
from tests.live.service import ROOT, Service, running

README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"
KEY_FILE = "data/admin.key"
SHELL_SECONDS = 60
MARK = "=== end of an answer ==="


@dataclass(frozen=True)
class Step:
    """A command of the tour, and the answer that the README shows; `…` stands for what differs from run to run."""

    command: str
    answer: str


class Toured(NamedTuple):
    """A running service, and the folder that it was started in."""

    service: Service
    folder: Path


def steps(text: str) -> list[Step]:
    """Read the commands and answers out of the console blocks: `$ ` begins a command, `> ` goes on with it."""
    found: list[tuple[list[str], list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(([line[2:]], []))
            elif line.startswith("> "):
                found[-1][0].append(line[2:])
            else:
                found[-1][1].append(line)
    return [Step("\n".join(command), "\n".join(answer)) for command, answer in found]


def shown_as(answer: str) -> re.Pattern[str]:
    """Turn a printed answer into a pattern."""
    return re.compile(".+".join(re.escape(part) for part in answer.split("…")))


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toured]:
    missing = [program for program in ("bash", "curl") if shutil.which(program) is None]
    assert not missing, f"the tour needs {missing}"
    folder = tmp_path_factory.mktemp("tour")
    with running(folder) as started:
        yield Toured(started, folder)


def take(tour: list[Step], toured: Toured) -> list[str]:
    """Run the whole tour against a service, and give what each command printed."""
    script = "\n".join(f"{step.command}\necho '{MARK}'" for step in tour)
    script = script.replace(ADDRESS, toured.service.base).replace(KEY_FILE, str(toured.folder / KEY_FILE))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=script,
        env={"PATH": path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=SHELL_SECONDS,
        check=False,
    )
    assert not done.stderr
    return [part.strip("\n") for part in done.stdout.split(f"{MARK}\n")][:-1]


def test_the_tour_has_steps() -> None:
    assert len(steps(README)) > 10


@pytest.mark.parametrize("slug", ["launch", "taken-again"])
def test_every_command_answers_as_the_readme_shows(toured: Toured, slug: str) -> None:
    """And again, for whoever takes the tour a second time under another slug."""
    tour = steps(README.replace("launch\n", f"{slug}\n"))
    answers = take(tour, toured)
    assert len(answers) == len(tour)
    for step, answer in zip(tour, answers, strict=True):
        assert shown_as(step.answer).fullmatch(answer), f"{step.command}\nanswered\n{answer}"


def test_the_readme_lists_every_setting() -> None:
    for name in Settings.model_fields:
        assert f"`DATELINE_{name.upper()}`" in README, name
