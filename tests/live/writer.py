"""Run an embedded PostgreSQL and write to it until killed; a program for the tests of its durability.

`python -m tests.live.writer FOLDER` prints the server's process id, then the number of each committed row.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import psycopg

from service.embedded import EmbeddedPostgres


def main() -> None:
    """Write rows, each in a transaction of its own, and print a row's number once it is committed."""
    server = EmbeddedPostgres(Path(sys.argv[1]))
    with server as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number bigint PRIMARY KEY)")
        say(f"{server.pid}")
        row = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM kept").fetchone()
        for number in itertools.count(row[0] if row else 1):
            connection.execute("INSERT INTO kept VALUES (%s)", [number])
            say(str(number))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
