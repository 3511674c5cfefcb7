"""Write the bill of materials of a Python environment, in CycloneDX 1.6: what a build of the image ends with.

`python -m deploy.sbom ENVIRONMENT REPORT`, with the report that pip wrote (`--report`) when it installed the pins
there. The tool of the field, cyclonedx-py, finds the distributions; what it cannot know is added: the digest of the
archive that each one was installed from, the bills that archives bring for their native parts (PEP 770), licences that
have no standard name, and that all of this is of Python's distributions alone. The same environment makes the same
bytes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
VERSION = SchemaVersion.V1_6


class IncompleteError(Exception):
    """Say what the bill would lack."""


def main(environment: Path, report: Path) -> None:
    """Write the bill to standard output. Raises IncompleteError."""
    bill = found(environment)
    complete(bill, environment, archive_digests(json.loads(report.read_text())))
    text = json.dumps(bill, ensure_ascii=False, indent=2, sort_keys=True)
    if errors := JsonStrictValidator(VERSION).validate_str(text):
        raise IncompleteError(f"the bill is not valid: {errors}")
    sys.stdout.write(f"{text}\n")


def found(environment: Path) -> dict[str, Any]:
    """Answer the bill as cyclonedx-py writes it, with the project as the thing that is billed."""
    output = subprocess.run(
        [
            Path(sys.executable).with_name("cyclonedx-py"), "environment", environment, "--pyproject", PROJECT,
            "--spec-version", VERSION.to_version(), "--output-reproducible",
            "--no-validate",  # nor is it finished yet
        ],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout  # fmt: skip
    bill: dict[str, Any] = json.loads(output)
    return bill


def archive_digests(report: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Read, from pip's report, the SHA-256 of the archive of each distribution, by name and version."""
    return {
        (normalized(one["metadata"]["name"]), one["metadata"]["version"]): one["download_info"]["archive_info"][
            "hashes"
        ]["sha256"]
        for one in report["install"]
    }


def installed(environment: Path) -> dict[str, Distribution]:
    """Find the distributions themselves, by name."""
    places = [str(folder) for folder in environment.glob("lib/python3*/site-packages")]
    return {normalized(one.name): one for one in distributions(path=places)}


def native_bills(environment: Path, one: Distribution) -> list[dict[str, str]]:
    """Refer to the bills that came with a distribution's archive, by their paths from the environment's folder."""
    paths = sorted(
        str(Path(str(one.locate_file(file))).relative_to(environment))
        for file in one.files or ()
        if file.parent.name == "sboms" and file.parent.parent.suffix == ".dist-info"
    )
    return [{"type": "bom", "url": path, "comment": "of its native parts"} for path in paths]


def complete(bill: dict[str, Any], environment: Path, digests: Mapping[tuple[str, str], str]) -> None:
    """Add what the tool does not know, in place. Raises IncompleteError."""
    known = installed(environment)
    for part in bill["components"]:
        name = normalized(part["name"])
        if (name, part["version"]) not in digests:
            raise IncompleteError(f"{name} {part['version']} is in the environment, and not in pip's report")
        part["hashes"] = [{"alg": "SHA-256", "content": digests[name, part["version"]]}]
        # The tool passes over a licence that is said in words of its own.
        part.setdefault("licenses", [{"license": {"name": licence}} for licence in words(known[name])])
        if not part["licenses"]:
            raise IncompleteError(f"{name} says nothing of a licence")
        # Where a project lives, and where archives are to be had, says nothing of what was installed.
        part["externalReferences"] = native_bills(environment, known[name])
    for tool in bill["metadata"]["tools"]["components"]:
        del tool["externalReferences"]
    # There is more in the image than its Python distributions: what the base image is made of.
    bill["compositions"] = [{"aggregate": "incomplete", "assemblies": [bill["metadata"]["component"]["bom-ref"]]}]


def words(one: Distribution) -> list[str]:
    """Read what a distribution calls its licence (core metadata, the field License)."""
    return one.metadata.get_all("License") or []


def normalized(name: str) -> str:
    """Write a distribution's name as registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
