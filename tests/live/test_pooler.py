"""The service behind PgBouncer, which lends connections by the transaction."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import missing
from tests.keys import bearer
from tests.live.service import running, start
from tests.live.stream import opened
from tests.receiver import receiving

# it is started as root in a container, and refuses to be that
AS_NOBODY = ("--user", "nobody") if os.geteuid() == 0 else ()


@contextmanager
def pooler(database_url: str, *more: str) -> Iterator[str]:
    """Run PgBouncer in front of a database for a block, and give the URL that leads through it."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin") or missing("pgbouncer")
    to = conninfo_to_dict(database_url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="dateline-pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        users, settings = folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"{to["user"]}" ""\n')
        lines = (
            "[databases]",
            f"pooled = host={to['host']} dbname={to['dbname']} user={to['user']} pool_size=3",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            f"auth_file = {users}",
            "pool_mode = transaction",
            *more,
        )
        settings.write_text("\n".join(lines))
        command = [program, "--quiet", *AS_NOBODY, str(settings)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                url = f"postgresql://{to['user']}@127.0.0.1:{port}/pooled"
                _wait_for(url)
                yield url
            finally:
                process.terminate()
                process.wait(10)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_the_service_works_behind_a_pooler(tmp_path: Path, database_url: str) -> None:
    """Eight connections to a pooler that has three: whatever one leaves behind meets another."""
    with (
        pooler(database_url) as pooled,
        receiving() as receiver,
        running(
            tmp_path,
            database_url=pooled,
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
    assert "Traceback" not in (tmp_path / "stderr.txt").read_text()


@pytest.mark.parametrize("more", [(), ("ignore_startup_parameters = options",)])
def test_a_pooler_that_was_not_told_of_is_refused(more: tuple[str, ...], tmp_path: Path, database_url: str) -> None:
    with pooler(database_url, *more) as pooled, start(tmp_path, database_url=pooled, seed=False) as process:
        assert process.wait(30) == 1
    said = (tmp_path / "stderr.txt").read_text()
    assert "DATELINE_DIRECT_DATABASE_URL" in said
    assert "Traceback" not in said
