"""A throwaway PostgreSQL, loaded with made-up events."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path

from bench.loading import load
from service.embedded import EmbeddedPostgres
from service.store.migration import migrate


def ask_for_database(parser: ArgumentParser, events: int) -> None:
    """Have a command line say how many events to load, this many unless it does, or where they are already."""
    parser.add_argument("--events", type=int, default=events, help=f"how many events to load ({events:,})")
    parser.add_argument("--database", help="a database that was loaded before, as a URL; nothing is loaded then")


def asked_database(stack: ExitStack, asked: Namespace) -> str:
    """Answer the URL of the database that such a command line asks for; what is started ends with the stack."""
    url: str | None = asked.database
    return url or loaded(stack, asked.events)


def loaded(stack: ExitStack, events: int) -> str:
    """Start a PostgreSQL of our own, with its usual settings, load it, and answer its URL; it ends with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dateline-bench-")))
    url = stack.enter_context(EmbeddedPostgres(folder))
    migrate(url)
    print(f"Loading {events:,} events …", flush=True)
    print(f"loaded in {load(url, events, processes=os.cpu_count() or 1, histories=True):.0f} s\n", flush=True)
    return url
