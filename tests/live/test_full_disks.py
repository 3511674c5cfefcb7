"""A disk of the service itself is full: that of its database, of its figures, of its log."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from service.figures_folder import FILES, ROOM_BYTES, SHARED_FOLDER, reserve_room
from tests.keys import bearer
from tests.live import asking
from tests.live.service import Service, running, start, tracebacks
from tests.tiny_disk import MIB, tiny_disk
from tests.waiting import wait_until

FULL = "make room on it, then start again. Nothing that was acknowledged is lost."
EVENT = {"title": "Kept", "when": "2013", "status": "planned"}


def embedded_url(data: Path) -> str:
    """Find the PostgreSQL that came along, as nobody else should."""
    _, runtime = (data / "lock").read_text().split()
    return f"postgresql://postgres@/postgres?host={quote(f'{runtime}/socket', safe='')}"


def end_log(url: str) -> None:
    """Have PostgreSQL begin segment after segment of its write-ahead log, until it finds no room and ends."""
    with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
        while True:
            connection.execute("SELECT pg_logical_emit_message(false, 'test', 'message')")
            connection.execute("SELECT pg_switch_wal()")


def refusal(folder: Path, data: Path) -> str:
    """Start the service where it cannot run, and give what it says."""
    with start(folder, data=data) as process:
        assert process.wait(60) == 1
    return (folder / "stderr.txt").read_text()


def test_a_service_whose_disk_is_full_says_so_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    with tiny_disk(120) as disk:
        data = disk.path / "data"
        with running(tmp_path, data=data) as service:
            made = asking.post(
                f"{service.base}/v1/timelines/syria-2013/events", json=EVENT, headers=bearer(service.key)
            ).raise_for_status()
            disk.fill(left_bytes=MIB)
            end_log(embedded_url(data))
            assert service.process.wait(60) == 1
        assert f"dateline: PostgreSQL ended, and with it the service. The disk that holds {data} is full" in (
            said := (tmp_path / "stderr.txt").read_text()
        )
        assert FULL in said
        for number, left_bytes in enumerate((MIB, 0)):
            folder = tmp_path / f"{number}"
            folder.mkdir()
            disk.fill(left_bytes=left_bytes)
            said = refusal(folder, data)
            assert f"dateline: The disk that holds {data} is full" in said
            assert FULL in said
            assert tracebacks(folder) == []
        disk.make_room()
        with running(tmp_path, data=data) as service:
            path = made.headers["Location"]
            assert asking.get(f"{service.base}{path}").content == made.content
    assert tracebacks(tmp_path) == []


@pytest.mark.parametrize("left_bytes", [0, MIB, 20 * MIB])
def test_a_full_disk_is_told_of_where_nothing_was_yet(left_bytes: int, tmp_path: Path) -> None:
    with tiny_disk(30) as disk:
        disk.fill(left_bytes=left_bytes)
        said = refusal(tmp_path, disk.path / "data")
        assert f"dateline: The disk that holds {disk.path / 'data'} is full" in said
        assert FULL in said
        assert tracebacks(tmp_path) == []
        assert not (disk.path / "data" / "postgresql").exists()


def ask(service: Service, path: str) -> int:
    return asking.get(f"{service.base}{path}", headers=bearer(service.key)).status_code


def ask_much(service: Service) -> set[int]:
    """Ask for much at once, of many routes, by connections of one's own, and give the statuses."""
    paths = ["/v1/timelines", "/v1/actors", "/v1/places", "/v1/dates?edtf=2013", "/v1/timelines/none", "/v1/keys"]
    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(ask, [service] * 60, paths * 10))


def test_figures_that_find_no_room_are_kept_by_each_process_to_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with tiny_disk(4) as disk:
        disk.fill(left_bytes=2 * ROOM_BYTES)
        monkeypatch.setenv(SHARED_FOLDER, str(disk.path))
        reserve_room()
        assert SHARED_FOLDER not in os.environ
        assert list(disk.path.glob("*.db")) == []
    assert [one.getMessage() for one in caplog.records] == [
        "/metrics tells of one server process at a time: [Errno 28] No space left on device"
    ]


def test_figures_of_a_process_that_had_the_same_number_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHARED_FOLDER, str(tmp_path))
    reserve_room()
    files = sorted(tmp_path.iterdir())
    files[0].write_bytes(b"counted")
    reserve_room()
    assert sorted(tmp_path.iterdir()) == files
    assert files[0].read_bytes() == b"counted"


def test_figures_have_their_room_before_the_disk_is_full(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Touching a file that is mapped into memory and finds no room would end the process."""
    with tiny_disk(8) as disk:
        monkeypatch.setenv("TMPDIR", str(disk.path))
        with running(tmp_path, database_url=database_url, workers=2) as service:
            workers = {worker.pid for worker in service.workers()}
            wait_until(lambda: asking.get(f"{service.base}/health/ready").status_code == 200)
            files = sorted(disk.path.glob("dateline-figures-*/*.db"))
            assert [file.name.rpartition("_")[0] for file in files] == sorted(FILES * 2)
            disk.fill()
            assert ask_much(service) == {200, 404}
            assert {worker.pid for worker in service.workers()} == workers
            assert "dateline_http_requests_total" in asking.get(f"{service.base}/metrics").text
            # none has grown beyond the room that it was given, and there is no other
            assert sorted(disk.path.glob("dateline-figures-*/*.db")) == files
            assert {file.stat().st_size for file in files} == {ROOM_BYTES}
    assert tracebacks(tmp_path) == []


def test_a_log_that_finds_no_room_costs_no_request(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "stderr.txt").symlink_to("/dev/full")
    with (
        running(tmp_path, database_url=database_url) as service,
        asking.client(base_url=service.base, headers=bearer(service.key)) as http,
    ):
        for number in range(200):
            assert http.get("/v1/timelines").status_code == 200, number
        assert http.get("/v1/timelines/none").status_code == 404
        assert http.post("/v1/timelines/syria-2013/events", json=EVENT).status_code == 201
