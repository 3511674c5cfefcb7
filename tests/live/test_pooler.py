"""The service behind PgBouncer, which lends connections by the transaction."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import missing
from tests.keys import bearer
from tests.live.service import read_log, running, start, tracebacks
from tests.live.stream import opened
from tests.pooler import find_pooler, pooler
from tests.receiver import receiving


@pytest.fixture
def program() -> str:
    return find_pooler() or missing("pgbouncer")


def test_the_service_works_behind_a_pooler(program: str, tmp_path: Path, database_url: str) -> None:
    """Eight connections to a pooler that has three: whatever one leaves behind meets another."""
    with (
        pooler(program, database_url) as between,
        receiving() as receiver,
        running(
            tmp_path,
            database_url=between.url_of(database_url),
            direct_database_url=database_url,
            seed=False,
            pool_size=8,
            statement_timeout_seconds=2,
            stream_poll_seconds=60,
            webhook_allow_private=True,
        ) as service,
        httpx.Client(base_url=f"{service.base}/v1", headers=bearer(service.key), timeout=20) as http,
    ):
        http.post("/timelines", json={"slug": "story", "title": "Story"}).raise_for_status()
        http.post("/timelines/story/webhooks", json={"url": receiver.url}).raise_for_status()

        def use(_: int) -> list[int]:
            body = {"title": "X", "when": "2013-02", "status": "occurred"}
            statuses = []
            for _ in range(12):
                made = http.post("/timelines/story/events", json=body)
                event = f"/timelines/story/events/{made.json()['id']}"
                statuses.append(made.status_code)
                statuses.append(http.patch(event, json={"title": "Y"}, headers={"If-Match": '"1"'}).status_code)
                paths = ("/timelines/story/events?datetime=2013-02-03", f"{event}/history", "/timelines/story/changes")
                statuses.extend(http.get(path).status_code for path in paths)
            return statuses

        with opened(f"{service.base}/v1/timelines/story/changes") as stream, ThreadPoolExecutor(6) as pool:
            counted = Counter(status for statuses in pool.map(use, range(6)) for status in statuses)
            assert counted == {201: 72, 200: 288}
            assert len({stream.item()["cursor"] for _ in range(144)}) == 144
        receiver.wait_for(144)
        exported = http.get("/timelines/story/events", headers={"Accept": "application/x-ndjson"})
        assert len(exported.text.splitlines()) == 72

        with psycopg.connect(database_url) as other:  # the time limit of a statement holds, though no option sets it
            other.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            assert http.get("/timelines/story/events?limit=1").status_code == 503
            assert 1.5 < time.monotonic() - began < 4
    assert tracebacks(tmp_path) == []
    told = {line["event"].partition(":")[0] for line in read_log(tmp_path) if line["logger"] == "dateline.database"}
    assert told == {"the pooler keeps no prepared statements"}, "as PgBouncer before 1.21"


@pytest.mark.parametrize("more", [(), ("ignore_startup_parameters = options",)])
def test_a_pooler_that_was_not_told_of_is_refused(
    more: tuple[str, ...], program: str, tmp_path: Path, database_url: str
) -> None:
    with (
        pooler(program, database_url, *more) as between,
        start(tmp_path, database_url=between.url_of(database_url), seed=False) as process,
    ):
        assert process.wait(30) == 1
    said = (tmp_path / "stderr.txt").read_text()
    assert "DATELINE_DIRECT_DATABASE_URL" in said
    assert "Traceback" not in said
