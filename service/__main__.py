"""Let `python -m service` be the `dateline` command, which takes a second to load."""

from __future__ import annotations

import sys

# As a shell has it for what Ctrl-C has ended, and typer for what it ends.
_INTERRUPTED = 130


def main() -> None:
    """Load the command and run it; Ctrl-C ends it without a traceback while it is loaded, too."""
    try:
        from service import cli  # noqa: PLC0415  # what is to be caught may come while it is loaded
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    cli.main()


if __name__ == "__main__":
    main()
