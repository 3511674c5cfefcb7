"""A database goes from the last release's schema to the present one while that release serves, and then both do.

The last release is run from its own code, as it was committed, with the packages of this environment.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from service.store.migration import head_revision
from tests.keys import ADMIN, bearer, insert_key
from tests.live.service import ROOT, Service, running
from tests.prove import IS_LONG
from tests.prove.locks import Sampled, sampling
from tests.prove.steady import Steady

# The commit of release 0.1.0.
LAST_RELEASE = "2dbc421"
EVENTS = 1_000_000 if IS_LONG else 2_000
SECONDS = 10.0 if IS_LONG else 1.5  # of each part but the migration itself
RATE = 50.0 if IS_LONG else 20.0
LONGEST_LOCK_SECONDS = 1.0
TIMELINE = "bench"  # of the loader
_LOAD = "import sys; from bench.loading import load; load(sys.argv[1], int(sys.argv[2]), processes=int(sys.argv[3]))"
# The loader gives events no states; each gets its present one, as a migration once did for all that were there.
_STATES = """
INSERT INTO event_state (timeline_id, event_id, version, known, reported_at, recorded_at, supersedes, author,
    document, start_earliest, start_latest, end_earliest, end_latest, pieces, every_piece, status, facets, search)
SELECT timeline_id, event_id, version, tstzrange(reported_at, NULL), reported_at, recorded_at, false, 'loaded',
    document, start_earliest, start_latest, end_earliest, end_latest, pieces, every_piece, status,
    ARRAY['kind:' || kind, 'status:' || status], search
FROM event
"""


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the last release's code, and answer where it is."""
    packed = subprocess.run(["git", "archive", LAST_RELEASE], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"this clone lacks the commit {LAST_RELEASE} of the last release")
    folder = tmp_path_factory.mktemp("last-release")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def load(url: str, code: Path) -> None:
    """Lay the last release's schema, and load made-up events, by its own code."""
    environment = os.environ | {"DATELINE_DATABASE_URL": url, "PYTHONPATH": str(code)}
    subprocess.run([sys.executable, "-m", "service", "migrate"], cwd=code, env=environment, check=True)
    processes = str(os.cpu_count() or 1) if IS_LONG else "1"
    subprocess.run([sys.executable, "-c", _LOAD, url, str(EVENTS), processes], cwd=code, env=environment, check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_STATES.encode())
        connection.execute("VACUUM ANALYZE event_state")
    insert_key(url)


async def migrate(url: str) -> None:
    """Migrate as an operator does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "migrate", cwd=ROOT, env=os.environ | {"DATELINE_DATABASE_URL": url}
    )
    assert await process.wait() == 0


async def serve_through(url: str, earlier: Service, folder: Path, traffic: Steady) -> Sampled:
    """Migrate under the traffic, then serve with both releases for a while; both must tell the same in the end."""
    over = asyncio.Event()
    asking = asyncio.create_task(traffic.run(RATE, over))
    await asyncio.sleep(SECONDS)
    with sampling(url) as sampled:
        await migrate(url)
    await asyncio.sleep(SECONDS)
    beside = running(folder, database_url=url, seed="false", workers=1)
    present = await asyncio.to_thread(beside.__enter__)
    try:
        traffic.bases.append(present.base)
        await asyncio.sleep(2 * SECONDS)
        over.set()
        await asking
        await compare([earlier.base, present.base], traffic)
    finally:
        await asyncio.to_thread(beside.__exit__, None, None, None)
    return sampled


async def compare(bases: list[str], traffic: Steady) -> None:
    """Hold what each service tells to what writers were told, and the feeds to each other."""
    feeds = []
    for base in bases:
        async with httpx.AsyncClient(base_url=base, headers=bearer(ADMIN), timeout=60) as http:
            for path, version in traffic.versions.items():
                assert (await http.get(path)).json()["version"] == version, path
            feeds.append(await follow(http, f"/v1/timelines/{traffic.timeline}/changes", traffic))
    assert feeds[0] == feeds[1]


async def follow(http: httpx.AsyncClient, path: str, traffic: Steady) -> list[tuple[str, int]]:
    """Read a feed until it holds the newest version of each event; give its events and versions, each once."""
    expected = {(path.rpartition("/")[2], version) for path, version in traffic.versions.items()}
    seen: list[tuple[str, int]] = []
    after: dict[str, Any] = {}
    async with asyncio.timeout(120):
        while not expected <= set(seen):
            items = (await http.get(path, params={"limit": 200, **after})).json()["items"]
            seen += [(one["event"], one["version"]) for one in items]
            if items:
                after = {"after": items[-1]["cursor"]}
    assert len(seen) == len(set(seen))
    return seen


def test_migrating_under_load_holds_nobody_up(tmp_path: Path, empty_database_url: str, last_release: Path) -> None:
    url = empty_database_url
    load(url, last_release)
    (tmp_path / "earlier").mkdir()
    (tmp_path / "present").mkdir()
    with running(tmp_path / "earlier", last_release, database_url=url, seed="false", workers=1) as earlier:
        traffic = Steady(TIMELINE, [earlier.base])
        sampled = asyncio.run(serve_through(url, earlier, tmp_path / "present", traffic))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (head_revision(),)
    longest = max(sampled.held_seconds.values(), default=0)
    sys.stdout.write(
        f"{EVENTS} events, {sum(traffic.statuses.values())} requests at {RATE:g} a second: "
        f"median {statistics.median(traffic.seconds) * 1e3:.0f} ms, longest {max(traffic.seconds) * 1e3:.0f} ms; "
        f"longest lock {longest:.2f} s, longest wait for one {sampled.waited_seconds:.2f} s "
        f"{sampled.held_seconds}\n"
    )
    assert len(traffic.versions) > 10
    assert traffic.failures == []
    assert traffic.lost == []
    assert {service for _, service, _ in traffic.statuses} == {0, 1}
    if IS_LONG:  # nothing else is timed
        assert longest < LONGEST_LOCK_SECONDS
        assert max(traffic.seconds) < 2 * LONGEST_LOCK_SECONDS
