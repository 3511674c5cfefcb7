"""`dateline export`, and `dateline import` of what it wrote."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from service import unarchiving
from service.cli import app
from service.formats import archive
from tests.archive.going_and_coming import written
from tests.client import Client
from tests.factories import make_event, make_timeline, path_of
from tests.killing import kill_once_it_wrote


@pytest.fixture(scope="module")
def story(here: Client) -> str:
    """Make a timeline of events that are linked to and fro, of which one was amended and one deleted."""
    events = make_timeline(here)
    made = [make_event(here, events, title=f"{i}", when=f"2013-02-{i + 1:02}") for i in range(9)]
    for one, other in zip(made, [*made[1:], made[0]], strict=True):
        assert here.put(f"{path_of(one)}/links/follows/{other['id']}", None).status_code == 201
    here.patch(path_of(made[0]), {"title": "Another", "reported_at": "2013-02-01T00:00:00Z"}, "*")
    gone = make_event(here, events, title="gone")
    here.delete(path_of(gone), "*")
    return str(made[0]["timeline"])


def run(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: object, given: bytes | None = None) -> Result:
    monkeypatch.setenv("DATELINE_DATABASE_URL", url)
    return CliRunner().invoke(app, [str(one) for one in arguments], input=given)


@pytest.mark.parametrize("name", ["archive.ndjson", "archive.ndjson.gz"])
def test_what_is_exported_is_imported(
    here_url: str, database_url: str, story: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = tmp_path / name
    outcome = run(monkeypatch, here_url, "export", "--timeline", story, file)
    assert (outcome.exit_code, outcome.stdout) == (0, "Exported 1 timeline: 10 events, 21 states.\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert (gzip.decompress(content) if name.endswith(".gz") else content) == written(here_url, story)
    assert run(monkeypatch, here_url, "export", "--timeline", story, file).exit_code == 1
    assert run(monkeypatch, here_url, "export", "--timeline", story, "--overwrite", file).exit_code == 0
    assert file.read_bytes() == content

    trial = run(monkeypatch, database_url, "import", "--dry-run", file)
    assert trial.stdout.startswith("10 events would be created, 0 unchanged; 1 timeline or entry")
    first = run(monkeypatch, database_url, "import", file)
    assert (first.exit_code, first.stdout) == (
        0,
        "10 events created, 0 unchanged; 1 timeline or entry of the directory created; 0 refused.\n",
    )
    again = run(monkeypatch, database_url, "import", file)
    assert again.stdout.startswith("0 events created, 10 unchanged; 0 timelines")
    assert written(database_url) == written(here_url, story)
    with psycopg.connect(database_url) as connection:
        told = connection.execute("SELECT caller, path FROM audit_entry").fetchall()
    assert told == [("operator", f"/v1/timelines/{story}/import")] * 2


def test_events_as_they_are_now_are_what_the_service_answers(
    here: Client, here_url: str, story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run(monkeypatch, here_url, "export", "--present", "--timeline", story, "-")
    assert outcome.stdout_bytes == here.get(f"/v1/timelines/{story}/events", format="ndjson").content
    assert outcome.stdout_bytes.count(b"\n") == 9


def test_ties_to_events_that_come_later_are_made(
    here_url: str, database_url: str, story: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whichever process and transaction each of the two is written."""
    monkeypatch.setattr(archive, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(unarchiving, "TRANSACTION_STATES", 1)
    file = tmp_path / "archive"
    file.write_bytes(written(here_url, story))
    assert run(monkeypatch, database_url, "import", "--jobs", 2, file).exit_code == 0
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM event_link").fetchone() == (9,)
    assert written(database_url) == written(here_url, story)


def test_an_archive_goes_through_a_pipe(
    here_url: str, database_url: str, story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = run(monkeypatch, here_url, "export", "--timeline", story, "-").stdout_bytes
    assert run(monkeypatch, database_url, "import", "-", given=gzip.compress(archive)).exit_code == 0
    assert run(monkeypatch, database_url, "export", "-").stdout_bytes == archive


def test_what_has_no_meaning_is_refused(
    here_url: str, story: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, events = tmp_path / "archive", tmp_path / "events.ndjson"
    file.write_bytes(written(here_url, story))
    events.write_bytes(b"")
    for arguments in (("--timeline", "x", file), ("--atomic", file), ("--rejects", tmp_path / "x", file), (events,)):
        assert run(monkeypatch, here_url, "import", *arguments).exit_code == 2
    assert "is imported alone" in run(monkeypatch, here_url, "import", "--timeline", "x", events, file).stderr
    assert run(monkeypatch, here_url, "export", "--timeline", "nowhere", tmp_path / "new").exit_code == 1
    assert not (tmp_path / "new").exists()
    assert run(monkeypatch, here_url, "export", tmp_path / "nowhere" / "new").exit_code == 1


def test_of_an_archive_that_is_cut_off_it_is_told_what_came(
    here_url: str, story: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "archive"
    text = written(here_url, story)
    file.write_bytes(text[: text.rindex(b'{"end"')])
    outcome = run(monkeypatch, database_url, "import", file)
    assert (outcome.exit_code, "is cut off" in str(outcome.exception)) == (1, True)
    assert outcome.stdout.startswith("10 events created")
    file.write_bytes(text)
    assert "0 events created, 10" in run(monkeypatch, database_url, "import", file).stdout


def test_an_import_that_was_killed_is_gone_on_with(
    here: Client, here_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = make_timeline(here)
    lines = b"".join(b'{"title": "%d", "when": "2013", "status": "planned"}\n' % i for i in range(3_000))
    answer = here.send(
        "POST",
        events.replace("/events", "/import"),
        content=lines,
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 200
    file = tmp_path / "archive"
    file.write_bytes(written(here_url, events.split("/")[3]))
    kill_once_it_wrote(database_url, "import", str(file))
    outcome = run(monkeypatch, database_url, "import", file)
    created, unchanged = (int(outcome.stdout.split()[i]) for i in (0, 3))
    assert created > 0 < unchanged
    assert created + unchanged == 3_000
    assert written(database_url) == file.read_bytes()


def test_sigterm_ends_an_export_and_leaves_no_part_of_it(database_url: str, tmp_path: Path) -> None:
    program = (
        "import os, signal, time\n"
        "from service import archiving\n"
        "from service.cli import main\n"
        "archiving.write_archive = lambda *_: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(60))\n"
        "main()"
    )
    asked = ["export", str(tmp_path / "archive.gz")]
    environment = {**os.environ, "DATELINE_DATABASE_URL": database_url}
    done = subprocess.run([sys.executable, "-c", program, *asked], env=environment, timeout=50, check=False)
    assert done.returncode == 130
    assert list(tmp_path.iterdir()) == []
