"""An archive written and brought back by the functions that the commands call."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from service.archiving import write_archive
from service.unarchiving import Came, bring_back
from service.wire.archive import Totals


@dataclass
class Brought:
    """What became of an import: the sums, and what was said of what is refused, line by line."""

    created: int = 0
    unchanged: int = 0
    entries: int = 0
    errors: list[tuple[int | None, str]] = field(default_factory=list)


def written(url: str, *slugs: str) -> bytes:
    """Give the archive of these timelines, or of all."""
    file = io.BytesIO()
    write_archive(url, slugs, file, lambda _: None)
    return file.getvalue()


def totals_of(url: str, *slugs: str) -> Totals:
    return write_archive(url, slugs, io.BytesIO(), lambda _: None)


def brought(url: str, archive: bytes, folder: Path, *, jobs: int = 1, trial: bool = False) -> Brought:
    """Import an archive."""
    path = folder / "archive.ndjson"
    path.write_bytes(archive)
    outcome = Brought()

    def tell(_: int, came: Came) -> None:
        outcome.created += came.created
        outcome.unchanged += came.unchanged
        outcome.entries += came.entries
        outcome.errors += [(one.line, one.detail) for one in came.errors]

    bring_back(url, path, jobs=jobs, trial=trial, told=tell)
    return outcome
