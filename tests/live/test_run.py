from __future__ import annotations

import os
import random
import signal
import socket
import stat
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.keys import bearer
from tests.live.service import (
    Service,
    read_log,
    running,
    start,
    tracebacks,
    wait_for_addresses,
    wait_until_gone,
)

# A busy machine may take its time; what must be quick is measured where it matters.
get = partial(httpx.get, timeout=30)
post = partial(httpx.post, timeout=30)


def write_timeline(service: Service, slug: str) -> None:
    answer = post(f"{service.base}/v1/timelines", json={"slug": slug, "title": slug}, headers=bearer(service.key))
    assert answer.status_code == 201, answer.text


def has_timeline(service: Service, slug: str) -> bool:
    return get(f"{service.base}/v1/timelines/{slug}").status_code == 200


def test_the_owner_is_given_a_key_once_and_keeps_it(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        file = tmp_path / "data" / "admin.key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert service.key in service.printed
        write_timeline(service, "first")
        assert post(f"{service.base}/v1/timelines", json={"slug": "x", "title": "x"}).status_code == 401
        lost = service.key
    with running(tmp_path, seed=False) as service:
        assert service.key == lost
        assert lost not in service.printed, "it is shown once"
        write_timeline(service, "second")
    file.unlink()
    with running(tmp_path, seed=False) as service:
        assert service.key != lost
        assert service.key in service.printed
        write_timeline(service, "third")
        answer = get(f"{service.base}/v1/timelines", headers=bearer(lost))
        assert (answer.status_code, answer.json()["detail"]) == (401, "the key was revoked")
    assert lost not in (tmp_path / "stderr.txt").read_text()


def test_every_printed_address_answers(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert "<html" in get(service.addresses["page"]).raise_for_status().text
        assert "<html" in get(service.addresses["docs"]).raise_for_status().text
        example = get(service.addresses["example"]).raise_for_status().json()
        assert len(example["items"]) > 5
        assert get(f"{service.base}/health/ready").json() == {"status": "ok"}
        assert str(tmp_path / "data") in service.printed


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_cleanly(number: int, workers: int, used_path: Path) -> None:
    with running(used_path, workers=workers) as service:
        get(service.addresses["page"])
        assert len(service.workers()) == (0 if workers == 1 else 2)
        everything = service.descendants()
        os.kill(service.process.pid, number)
        assert service.process.wait(20) == 0
    wait_until_gone(everything, seconds=1)
    last = read_log(used_path)[-1]
    assert (last["logger"], last["level"], last["event"]) == ("dateline.serving", "info", "stopped")
    assert "database system is shut down" in (used_path / "data" / "postgresql.log").read_text()
    assert tracebacks(used_path) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_in_a_terminal_stops_everything_cleanly(workers: int, used_path: Path) -> None:
    """A terminal sends SIGINT to the whole foreground group, and a person may well press twice."""
    with running(used_path, workers=workers) as service:
        get(service.addresses["page"])
        everything = service.descendants()
        os.killpg(service.process.pid, signal.SIGINT)
        time.sleep(0.05)
        os.killpg(service.process.pid, signal.SIGINT)
        assert service.process.wait(20) == 0
    wait_until_gone(everything, seconds=1)
    last = read_log(used_path)[-1]
    assert (last["logger"], last["level"], last["event"]) == ("dateline.serving", "info", "stopped")
    assert "database system is shut down" in (used_path / "data" / "postgresql.log").read_text()
    assert tracebacks(used_path) == []


def test_a_connection_that_stays_open_does_not_hold_up_the_stop(used_path: Path) -> None:
    with running(used_path) as service, socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost:")
        began = time.monotonic()
        service.process.terminate()
        assert service.process.wait(20) == 0
        assert time.monotonic() - began < 8


def test_the_second_start_finds_the_data(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        write_timeline(service, "kept")
    with running(tmp_path) as service:
        assert get(f"{service.base}/health/ready").status_code == 200
        assert has_timeline(service, "kept")


@pytest.mark.parametrize("part", ["service", "postmaster", "worker", "everything"])
def test_the_next_start_recovers_from_a_kill(part: str, used_path: Path) -> None:
    # of those that no system gives away by itself: another service may be given a free one meanwhile
    port = random.randrange(20_000, 30_000)  # noqa: S311  # no secret
    with running(used_path, workers=2, port=port) as service:
        write_timeline(service, "acknowledged")
        descendants = service.descendants()
        listeners = service.workers()
        for victim in {
            "service": [service.process.pid],
            "postmaster": [service.postmaster().pid],
            "worker": [service.workers()[0].pid],
            "everything": [service.process.pid, *(child.pid for child in descendants)],
        }[part]:
            with suppress(ProcessLookupError):  # a backend may have ended by itself meanwhile
                os.kill(victim, signal.SIGKILL)
        if part == "worker":
            service.process.terminate()
        elif part == "postmaster":
            assert service.process.wait(20) == 1
            complaint = (used_path / "stderr.txt").read_text()
            assert "dateline: PostgreSQL ended, and with it the service" in complaint
            assert tracebacks(used_path) == []
    # On the same port: whatever kept it must be gone, too.
    wait_until_gone(listeners)
    with running(used_path, port=port) as service:
        assert has_timeline(service, "acknowledged")


def test_an_external_database_is_used_alone(tmp_path: Path, empty_database_url: str) -> None:
    with running(tmp_path, database_url=empty_database_url) as service:
        assert service.descendants() == []
        assert not (tmp_path / "data").exists()
        assert get(service.addresses["example"]).status_code == 200
        assert "the database of DATELINE_DATABASE_URL" in service.printed


def test_several_may_start_at_once_on_an_empty_database(tmp_path: Path, empty_database_url: str) -> None:
    processes = [start(tmp_path, database_url=empty_database_url) for _ in range(4)]
    try:
        services = [wait_for_addresses(process) for process in processes]
        for service in services:
            assert get(f"{service.base}/health/ready").status_code == 200
            assert get(service.addresses["example"]).json()["items"]
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM timeline").fetchone() == (1,)
    assert tracebacks(tmp_path) == []


def test_no_seed_where_none_is_wanted(tmp_path: Path, empty_database_url: str) -> None:
    with running(tmp_path, database_url=empty_database_url, seed="false") as service:
        assert get(f"{service.base}/v1/timelines").json()["items"] == []


def complaint_of(folder: Path, **settings: object) -> tuple[int, str]:
    """Start the service where it cannot run; answer its exit code and all that it said on standard error."""
    with start(folder, **settings) as process:
        try:
            code = process.wait(30)
        finally:
            process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == ""
    return code, (folder / "stderr.txt").read_text()


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = complaint_of(tmp_path, port=port)
    assert code == 1
    assert said == (
        f"dateline: Cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Choose another with DATELINE_HOST and DATELINE_PORT.\n"
    )
    assert not (tmp_path / "data").exists()


def test_an_unknown_host_is_named(tmp_path: Path) -> None:
    code, said = complaint_of(tmp_path, host="no.such.host.invalid")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("dateline: Cannot listen on no.such.host.invalid: ")


def test_a_folder_in_use_is_named_with_its_holder(used_path: Path) -> None:
    with running(used_path) as service:
        (used_path / "stderr.txt").unlink()
        code, said = complaint_of(used_path)
        assert code == 1
        assert said.startswith(
            f"dateline: The data folder {used_path}/data is in use by process {service.process.pid}."
        )
        assert said.count("\n") == 1


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, said = complaint_of(tmp_path, database_url=f"postgresql://me:hunter2@127.0.0.1:{port}/dateline")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("dateline: Cannot reach the database: ")
    assert str(port) in said
    assert "hunter2" not in said


def test_a_wrong_database_url_is_refused_without_being_repeated(tmp_path: Path) -> None:
    code, said = complaint_of(tmp_path, database_url="postgresql://me:hunter2@localhost:many/x")
    assert (code, said.count("\n")) == (2, 1), said
    assert said.startswith("dateline: DATELINE_DATABASE_URL: ")
    assert "hunter2" not in said


def test_the_password_of_a_database_is_nowhere_to_be_seen(tmp_path: Path, empty_database_url: str) -> None:
    """Neither in the list of processes, nor in what the service prints and logs."""
    url = empty_database_url.replace("postgres@/", "postgres:hunter2@/")
    with running(tmp_path, database_url=url, workers=2, log_level="debug") as service:
        get(service.addresses["example"])
        listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True)
        assert "hunter2" not in listed.stdout
        assert "hunter2" not in service.printed
    assert "hunter2" not in (tmp_path / "stderr.txt").read_text()
