from __future__ import annotations

import json
import re
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from deploy import sbom

ENVIRONMENT = Path(sys.prefix)
DIGEST = f"{1:064x}"


def test_the_bill_of_an_environment_is_whole_valid_and_the_same_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write_report(tmp_path, {(one.name, one.version) for one in distributions()})
    sbom.main(ENVIRONMENT, report)
    written = capsys.readouterr().out
    sbom.main(ENVIRONMENT, report)
    assert capsys.readouterr().out == written
    bill = json.loads(written)
    listed = {sbom.normalized(part["name"]): part for part in bill["components"]}
    assert listed.keys() == {sbom.normalized(one.name) for one in distributions()} - {"dateline"}
    assert bill["metadata"]["component"]["name"] == "dateline"
    for part in listed.values():
        assert re.fullmatch(rf"pkg:pypi/[a-z0-9.-]+@{re.escape(part['version'])}", part["purl"]), "no host, no path"
        assert part["licenses"]
        assert part["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
    (native,) = (one for one in listed["pydantic-core"]["externalReferences"] if one["type"] == "bom")
    assert json.loads((ENVIRONMENT / native["url"]).read_text())["bomFormat"] == "CycloneDX"
    assert str(ENVIRONMENT) not in written
    assert not re.search(r"file:|://[^\"\s]*pypi", written), "where it was built, and out of what, is no part of it"
    assert bill["compositions"] == [{"aggregate": "incomplete", "assemblies": ["root-component"]}]


def test_what_pip_did_not_install_has_no_place_in_the_image(tmp_path: Path) -> None:
    report = write_report(tmp_path, {(one.name, one.version) for one in distributions() if one.name != "uvicorn"})
    with pytest.raises(sbom.IncompleteError, match=r"uvicorn .* is in the environment"):
        sbom.main(ENVIRONMENT, report)


def test_a_bill_that_is_not_valid_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = write_report(tmp_path, {(one.name, "no\nversion") for one in distributions()})
    billed = {"bom-ref": "root-component", "name": "dateline", "type": "no such type"}
    bill: dict[str, Any] = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
    bill["metadata"] = {"component": billed, "tools": {"components": []}}
    monkeypatch.setattr(sbom, "found", lambda _: bill)
    with pytest.raises(sbom.IncompleteError, match=r"not valid.*no such type"):
        sbom.main(ENVIRONMENT, report)


def write_report(folder: Path, installed: set[tuple[str, str]]) -> Path:
    """Write what pip would report of an installation, as far as it is read."""
    digests = {"archive_info": {"hashes": {"sha256": DIGEST}}}
    installs: list[Any] = [
        {"metadata": {"name": name, "version": version}, "download_info": digests} for name, version in installed
    ]
    report = folder / "installed.json"
    report.write_text(json.dumps({"install": installs}))
    return report
