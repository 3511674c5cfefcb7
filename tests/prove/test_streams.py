"""Many open streams in one process, within a bound of memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.live.service import running
from tests.prove import IS_LONG
from tests.prove.streams import watch

STREAMS = 1_000 if IS_LONG else 100


def test_open_streams_take_little(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url=database_url, seed="false", workers=1) as service:
        assert asyncio.run(watch(service, STREAMS))
