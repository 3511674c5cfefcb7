"""Followers that are killed at random miss nothing, see nothing twice, and see it in order: pages and streams alike."""

from __future__ import annotations

from pathlib import Path

from tests.prove import IS_LONG
from tests.prove.feed import prove

SECONDS = 60 if IS_LONG else 6


def test_followers_that_are_killed_and_resumed_miss_nothing(tmp_path: Path, postgres: str, database_url: str) -> None:
    """Eight writers and more that commit late, three followers of pages and three of streams."""
    findings, written = prove(tmp_path, postgres, database_url, SECONDS)
    for one in findings:
        assert (one.missed, one.out_of_order, one.duplicates) == (0, 0, 0), one
        assert one.changes > 100
    assert sum(one.kills for one in findings) > 3
    assert written.lost_by_number > 0, "the load is too tame to prove anything"
