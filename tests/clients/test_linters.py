"""The published document is what linters ask of one, and types can be made of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.api.published import document
from tests.clients.making import DOCUMENT, GENERATED, HERE, make_typescript, run, workshop


def test_the_readme_makes_clients_as_the_tests_do() -> None:
    root = HERE.parents[1]
    readme = re.sub(r" \\\n +", " ", (root / "README.md").read_text(encoding="utf-8"))
    for command in GENERATED.values():
        assert f"\n{command}\n" in readme
    for settings in re.findall(r" --config (\S+)", readme):
        assert (root / settings).is_file(), settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return workshop(tmp_path, json.dumps(document()))


def test_spectral_finds_nothing(folder: Path) -> None:
    shutil.copy(HERE / "spectral.yaml", folder)
    run(folder, "spectral", "lint", DOCUMENT, "--ruleset", "spectral.yaml", "--fail-severity", "hint")


def test_spectral_would_find_what_a_client_may_send_without_a_limit(folder: Path) -> None:
    shutil.copy(HERE / "spectral.yaml", folder)
    lax = document() | {"components": json.loads(json.dumps(document()["components"]))}
    del lax["components"]["schemas"]["EventBody"]["properties"]["title"]["maxLength"]
    (folder / DOCUMENT).write_text(json.dumps(lax))
    with pytest.raises(AssertionError, match="string-limit"):
        run(folder, "spectral", "lint", DOCUMENT, "--ruleset", "spectral.yaml")


def test_redocly_finds_nothing(folder: Path) -> None:
    shutil.copy(HERE / "redocly.yaml", folder)
    said = run(folder, "redocly", "lint", DOCUMENT)
    assert "warning" not in said, said


def test_types_are_made_that_a_program_compiles_against(folder: Path) -> None:
    make_typescript(folder)
