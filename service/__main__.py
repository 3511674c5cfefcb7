"""Let `python -m service` be the `dateline` command."""

from __future__ import annotations

from service.cli import main

main()
