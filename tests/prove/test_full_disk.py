"""A full disk under clients who write safely: no fault, nothing acknowledged is lost, and with room all goes on.

Where only the data find no room, PostgreSQL refuses what needs some, and reads go on. Where its write-ahead log finds
none, it ends, and has to be started again once there is room.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import psycopg

from tests.keys import ADMIN, bearer
from tests.live.service import read_log, tracebacks
from tests.prove import IS_LONG
from tests.prove.deployment import Deployment, DurablePostgres, deployed, durable_postgres
from tests.prove.keyed_traffic import EVENTS, PATIENCE_SECONDS, Writers
from tests.prove.ledger import find_faults, read_kept
from tests.prove.wholeness import find_partial
from tests.tiny_disk import MIB, TinyDisk, tiny_disk
from tests.waiting import wait_until

WRITERS = 8
TIMES = 3 if IS_LONG else 1
REFUSALS = 40 if IS_LONG else 8
KEEPING_LOG = "keeping"  # a replication slot
# Of its log PostgreSQL keeps what is needed, and little more.
LITTLE_LOG = {"min_wal_size": "32MB", "max_wal_size": "64MB"}


@contextmanager
def public_folder() -> Iterator[Path]:
    """Make a folder that any user may enter."""
    with tempfile.TemporaryDirectory(prefix="dateline-public-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


@contextmanager
def database_on(data: Path, log: Path) -> Iterator[DurablePostgres]:
    """Run a PostgreSQL with its data on one disk, and its write-ahead log on another."""
    with durable_postgres(data / "data", LITTLE_LOG) as database:
        database.stop()
        there = data / "data" / "postgresql" / "pg_wal"
        subprocess.run(["mv", there, log / "pg_wal"], check=True)  # whose it is stays
        there.symlink_to(log / "pg_wal")
        database.start()
        yield database


def read(deployment: Deployment, path: str) -> httpx.Response:
    return httpx.get(deployment.base + path, headers=bearer(ADMIN), timeout=PATIENCE_SECONDS)


def check_all(folder: Path, database: DurablePostgres, writers: Writers) -> None:
    """Assert that all that was acknowledged is there, and whole."""
    assert find_faults(writers.record.acknowledged, read_kept(database.url)) == []
    assert find_partial(database.url) == {}
    assert tracebacks(folder) == []


def test_where_the_data_find_no_room_reads_go_on(tmp_path: Path) -> None:
    with tiny_disk(120) as disk, public_folder() as log, database_on(disk.path, log) as database:
        with deployed(tmp_path, database) as deployment:
            writers = Writers(lambda: deployment.base, bearer(ADMIN), WRITERS)
            with writers.at_work():
                for _ in range(TIMES):
                    writers.wait_for_success(time.monotonic())
                    disk.fill()
                    writers.wait_for_refusals(REFUSALS)
                    assert read(deployment, f"{EVENTS}?limit=200&count=exact").status_code == 200
                    assert read(deployment, "/health/ready").status_code == 200
                    disk.make_room()
                    writers.wait_for_success(time.monotonic())
            assert database.is_running, "it went on by itself"
        check_all(tmp_path, database, writers)
    assert any(line["event"].startswith("the database reports 53100") for line in read_log(tmp_path))


def end_log(database: DurablePostgres, disk: TinyDisk) -> None:
    """Have PostgreSQL begin segment after segment of its log, until it cannot, and ends."""
    process = database.process
    with psycopg.connect(database.url, autocommit=True) as connection:
        # or checkpoints would make room by and by
        connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", [KEEPING_LOG])

    def has_ended() -> bool:
        disk.fill(left_bytes=MIB)  # what PostgreSQL recovers from, it may find room again
        with suppress(psycopg.OperationalError), psycopg.connect(database.url, autocommit=True) as connection:
            while True:
                connection.execute("SELECT pg_logical_emit_message(false, 'test', 'message')")
                connection.execute("SELECT pg_switch_wal()")
        with suppress(psutil.TimeoutExpired):
            process.wait(1)
        return not process.is_running()

    wait_until(has_ended)


def test_where_the_log_finds_no_room_all_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    with tiny_disk(100) as disk, public_folder() as data, database_on(data, disk.path) as database:
        with deployed(tmp_path, database) as deployment:
            writers = Writers(lambda: deployment.base, bearer(ADMIN), WRITERS)
            with writers.at_work():
                for _ in range(TIMES):
                    writers.wait_for_success(time.monotonic())
                    end_log(database, disk)
                    writers.wait_for_refusals(REFUSALS)
                    assert read(deployment, "/health/live").status_code == 200
                    assert read(deployment, "/health/ready").status_code == 503
                    disk.make_room()
                    database.stop()
                    database.start()
                    with psycopg.connect(database.url, autocommit=True) as connection:
                        connection.execute("SELECT pg_drop_replication_slot(%s)", [KEEPING_LOG])
                    writers.wait_for_success(time.monotonic())
        check_all(tmp_path, database, writers)
