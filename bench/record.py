"""What a run was made on, and where its figures are kept."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Say what this ran on."""
    packages = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "psycopg", "sqlalchemy", "pydantic")
    cpus = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*: (.*)$", cpus.read_text(), re.MULTILINE) if cpus.exists() else []
    return {
        "processors": f"{os.cpu_count()} x {models[0] if models else platform.machine()}",
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "load_average": os.getloadavg(),
    }


def write(figures: Mapping[str, Any], others: Mapping[str, str], prefix: str = "") -> Path:
    """Write figures into the folder of results, and other forms of them beside; answers the path without its ending."""
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / f"{prefix}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    stem.with_suffix(".json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for ending, text in others.items():
        stem.with_suffix(ending).write_text(text, encoding="utf-8")
    return stem
