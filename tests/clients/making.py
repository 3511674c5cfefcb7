"""Clients, made of the published document by generators that people use, each in a folder of its own.

What a client is made of never leaves its folder; the programs that use it are ours (`programs`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.conftest import missing

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / "build" / "clients"
DOCUMENT = "openapi.json"
_SECONDS = 300

# How a client's code is made, as the README says it for the root of the repository.
GENERATED: Mapping[str, str] = {
    "python": "openapi-python-client generate --path openapi.json --config tests/clients/openapi-python-client.yaml"
    " --meta none --output-path dateline_client",
    "typescript": "openapi-typescript openapi.json --default-non-nullable=false --output dateline.d.ts",
    "go": "openapi-generator-cli generate -i openapi.json -g go -o dateline"
    " --additional-properties=packageName=dateline,useOneOfDiscriminatorLookup=true,withGoMod=false",
}

# What runs a program: it is given an address and a key.
Command = list[str]


def workshop(folder: Path, document: str) -> Path:
    """Lay a folder out for the tools: the document, and the packages that Node looks for above what it runs."""
    if not (TOOLS / "tools.stamp").exists():
        missing("the tools that `make clients` sets up")
    (folder / "node_modules").symlink_to(TOOLS / "node_modules")
    (folder / DOCUMENT).write_text(document, encoding="utf-8")
    return folder


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a tool in a folder, and answer what it said; it is told nothing of us, and to tell nobody of itself."""
    given = {
        "PATH": f"{TOOLS / 'bin'}{os.pathsep}{TOOLS / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    }
    done = subprocess.run(
        command, cwd=folder, env=given | environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}:\n{said}"
    return said


def make_python(folder: Path) -> Command:
    """Make a client with openapi-python-client, and check its types and the program's."""
    shutil.copy(HERE / "programs" / "client.py", folder)
    settings = folder / "tests" / "clients"
    settings.mkdir(parents=True)
    shutil.copy(HERE / "openapi-python-client.yaml", settings)
    said = run(folder, *GENERATED["python"].split())
    left_out = re.findall(r"Unsupported content type (\S+)", said)
    assert sorted(left_out) == ["text/csv", "text/plain"], "what the settings leave out"
    assert said.count("WARNING") == len(left_out), said
    python = str(TOOLS / "bin" / "python")
    # the one module that is the same in every client, whatever document it is made of, is not typed to the end
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\n[mypy-dateline_client.client]\nignore_errors = true\n")
    run(folder, sys.executable, "-m", "mypy", "--python-executable", python, "client.py", "dateline_client")
    return [python, "client.py"]


def make_typescript(folder: Path) -> Command:
    """Make types with openapi-typescript for openapi-fetch, and compile the program."""
    shutil.copy(HERE / "programs" / "client.ts", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    run(folder, *GENERATED["typescript"].split())
    strict = ("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes")
    run(folder, "tsc", *strict, "--target", "es2022", "--module", "nodenext", "--types", "node", "client.ts")
    return [str(TOOLS / "bin" / "node"), "client.js"]


def make_go(folder: Path) -> Command:
    """Make a client with openapi-generator, and compile it and the program."""
    if shutil.which("go") is None:
        missing("Go")
    shutil.copy(HERE / "programs" / "client.go", folder)
    (folder / "go.mod").write_text("module clients\n\ngo 1.19\n")
    run(folder, *GENERATED["go"].split())
    alone = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOCACHE": str(TOOLS / "go")}
    run(folder, "go", "vet", ".", "./dateline", **alone)
    run(folder, "go", "build", "-o", "client", ".", **alone)
    return [str(folder / "client")]


MAKERS: Mapping[str, Callable[[Path], Command]] = {
    "python": make_python,
    "typescript": make_typescript,
    "go": make_go,
}
