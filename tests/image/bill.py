"""The bill of materials that comes with the image."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.sbom import normalized
from tests.image.containers import Container

PLACE = "/opt/dateline/sbom.cdx.json"
INSTALLED = "import importlib.metadata as found; print(*(f'{one.name}={one.version}' for one in found.distributions()))"


def check(say: Callable[[str], None], container: Container) -> None:
    """Compare the bill with what is installed."""
    text = container.execute("cat", PLACE)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    installed = {normalized(one) for one in container.execute("python", "-c", INSTALLED).split()}
    listed = {normalized(f"{one['name']}={one['version']}") for one in bill["components"]}
    billed = bill["metadata"]["component"]
    assert listed | {normalized(f"{billed['name']}={billed['version']}")} == installed
    natives = 0
    for one in bill["components"]:
        assert one["purl"].startswith("pkg:pypi/")
        assert one["licenses"], one["name"]
        assert [digest["alg"] for digest in one["hashes"]] == ["SHA-256"]
        for native in one.get("externalReferences", ()):
            assert json.loads(container.execute("cat", native["url"]))["bomFormat"] == "CycloneDX"
            natives += 1
    assert natives > 0
    assert not re.search(r"file:|/build|://[^\"\s]*pypi", text), "where it was built is no part of it"
    say(
        f"its bill of materials is valid CycloneDX and lists all {len(installed)} Python distributions, with licences "
        f"and digests, and {natives} bills of native parts; it says nothing of the base image"
    )
