"""A throwaway PostgreSQL, loaded with made-up events."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.loading import load
from service.embedded import EmbeddedPostgres
from service.store.migration import migrate


def loaded(stack: ExitStack, events: int) -> str:
    """Start a PostgreSQL of our own, with its usual settings, load it, and answer its URL; it ends with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dateline-bench-")))
    url = stack.enter_context(EmbeddedPostgres(folder))
    migrate(url)
    print(f"Loading {events:,} events …", flush=True)
    print(f"loaded in {load(url, events, processes=os.cpu_count() or 1, histories=True):.0f} s\n", flush=True)
    return url
