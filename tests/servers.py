"""A throwaway PostgreSQL for the tests, which goes away with them however they end.

The server belongs to a process of its own, this module run as a program. It ends when its standard input
does, and a pipe from the tests ends even when they are killed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service.embedded import EmbeddedPostgres, find_programs

# A throwaway server owes nobody durability. Nor does it tidy up by itself: an ANALYZE that PostgreSQL begins when it
# likes holds the feed's horizon up, and changes plans in the middle of a test.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@contextmanager
def throwaway_postgres(
    *, system: bool = False, connections: int = 200, options: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a PostgreSQL on an empty folder, and answer the URL of its maintenance database.

    It is the one that comes along, or with `system` the one that the machine has; `options` are server settings.
    """
    command = [sys.executable, "-m", "tests.servers", "--connections", str(connections)]
    command += [f"--option={name}={value}" for name, value in (options or {}).items()]
    with subprocess.Popen(
        command + (["--system"] if system else []),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        start_new_session=True,  # a Ctrl-C is for the tests, which then close the pipe
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the throwaway PostgreSQL did not start; its words are above")
        yield url
        process.stdin.close()
        process.stdout.close()


def main() -> None:
    """Run the server until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", action="store_true")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--option", action="append", default=[])
    arguments = parser.parse_args()
    chosen = dict(one.split("=", 1) for one in arguments.option)
    with (
        tempfile.TemporaryDirectory(prefix="dateline-test-") as folder,
        EmbeddedPostgres(
            Path(folder),
            connections=arguments.connections,
            options=HASTY | chosen,
            programs=find_programs(system=arguments.system),
        ) as url,
    ):
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
