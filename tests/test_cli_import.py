"""`dateline import`: files of events, written from the command line."""

from __future__ import annotations

import errno
import gzip
import json
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service import intake
from service.cli import app
from tests.client import Client, connected
from tests.factories import event_body, make_timeline
from tests.killing import kill_once_it_wrote

EVENTS = "/v1/timelines/story/events"


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_DATABASE_URL", database_url)


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    with connected(database_url, worker=False) as client:
        make_timeline(client, slug="story")
        yield client


def run(*arguments: object, given: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["import", "--timeline", "story", *map(str, arguments)], input=given)


def written(path: Path, *bodies: object) -> Path:
    path.write_bytes(b"".join(json.dumps(one).encode() + b"\n" for one in bodies))
    return path


def many(path: Path, count: int) -> Path:
    return written(path, *(event_body(title=f"{i}", summary="so it was told " * 20) for i in range(count)))


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_are_imported_and_are_the_same_the_second_time(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(intake, "PIECE_BYTES", 50_000)
    monkeypatch.setattr(intake, "TRANSACTION_LINES", 100)
    file = many(tmp_path / "events.ndjson", 700)
    table = tmp_path / "more.CSV"
    table.write_text("title,when,status\r\nA,2013,planned\r\nB,2013,planned\r\n")
    first = run(file, table, "--jobs", jobs)
    assert (first.exit_code, first.stdout) == (
        0, "702 created, 0 amended, 0 unchanged, 0 deleted before, 0 refused.\n"
    )  # fmt: skip
    again = run(file, table)
    assert again.stdout == "0 created, 0 amended, 702 unchanged, 0 deleted before, 0 refused.\n"
    assert client.read(EVENTS, count="exact")["count"] == 702
    assert len(set(client.titles(EVENTS))) == 702
    (item,) = client.read(f"{EVENTS}/{client.walk(EVENTS)[0]['id']}/history")["items"]
    assert item["author"] == "operator"
    told = client.read("/v1/audit", caller="operator")["items"]
    assert {one["operation"] for one in told} == {"create_import"}


def test_a_line_that_is_refused_is_told_and_kept_for_another_try(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(intake, "TRANSACTION_LINES", 10)
    bodies = [event_body(title=f"{i}", when="2013-02-31" if i in (7, 53) else "2013") for i in range(60)]
    file, rejects = written(tmp_path / "events.jsonl", *bodies), tmp_path / "rejects.jsonl"
    outcome = run(file, "--rejects", rejects)
    assert outcome.exit_code == 1
    assert outcome.stdout == "58 created, 0 amended, 0 unchanged, 0 deleted before, 2 refused.\n"
    assert "line 8, /when: " in outcome.stderr
    assert "line 54, /when: " in outcome.stderr
    assert [json.loads(line)["title"] for line in rejects.read_text().splitlines()] == ["7", "53"]
    rejects.write_text(rejects.read_text().replace("2013-02-31", "2013-03-01"))
    assert run(rejects).exit_code == 0
    assert client.read(EVENTS, count="exact")["count"] == 60


def test_a_table_of_what_is_refused_is_a_table(client: Client, tmp_path: Path) -> None:
    table, rejects = tmp_path / "events.csv", tmp_path / "rejects.csv"
    table.write_text('title,when,status\n"A, B",2013-02-31,planned\nC,2013,planned\n')
    assert run(table, "--rejects", rejects).exit_code == 1
    assert rejects.read_text() == 'title,when,status\n"A, B",2013-02-31,planned\n'
    assert client.titles(EVENTS) == ["C"]
    assert run(table, table, "--rejects", tmp_path / "others.csv").exit_code == 2


def test_a_file_of_what_is_refused_is_never_one_that_is_there(client: Client, tmp_path: Path) -> None:
    file = many(tmp_path / "events.ndjson", 3)
    before = file.read_bytes()
    outcome = run(file, "--rejects", file, "--dry-run")
    assert outcome.exit_code == 2
    assert "File exists" in outcome.stderr
    assert file.read_bytes() == before
    assert run(file, "--rejects", tmp_path / "nowhere" / "x.ndjson").exit_code == 2
    assert client.titles(EVENTS) == []


def test_of_several_files_it_is_said_which(client: Client, tmp_path: Path) -> None:
    bad = event_body(when="soon"), event_body(participants=[{"actor": "nobody"}]), event_body(titel="x")
    files = [written(tmp_path / f"{name}.ndjson", *bad) for name in "ab"]
    told = run(*files).stderr.splitlines()
    assert [line.split(", /")[0] for line in told] == [
        f"dateline: {file}, line {number}" for file in files for number in (1, 2, 3)
    ]
    assert client.titles(EVENTS) == []


def test_all_or_nothing_and_a_trial(client: Client, tmp_path: Path) -> None:
    good, bad = many(tmp_path / "a.ndjson", 30), written(tmp_path / "b.ndjson", {"title": "no date"})
    outcome = run(good, bad, "--atomic")
    assert outcome.exit_code == 1
    assert outcome.stdout == ""
    assert "nothing was written: 1 line is refused" in outcome.stderr
    assert client.titles(EVENTS) == []
    assert run(good, "--dry-run").stdout.startswith("30 would be created, ")
    assert client.titles(EVENTS) == []
    assert run(good, "--atomic").stdout.startswith("30 created, ")
    assert len(client.titles(EVENTS)) == 30


def test_standard_input_is_read(client: Client) -> None:
    content = json.dumps(event_body(title="piped")).encode()
    assert run("-", given=content).exit_code == 2
    assert run("-", "--format", "ndjson", given=content).exit_code == 0
    assert client.titles(EVENTS) == ["piped"]


def test_what_cannot_be_done_is_said(client: Client, tmp_path: Path) -> None:
    file = many(tmp_path / "events.ndjson", 1)
    assert run(tmp_path / "nowhere.ndjson").exit_code == 2
    assert run(tmp_path).exit_code == 2
    assert run(written(tmp_path / "events.xml")).exit_code == 2
    other = CliRunner().invoke(app, ["import", "--timeline", "other", str(file)])
    assert "no timeline 'other'" in str(other.exception)
    assert client.titles(EVENTS) == []


def test_an_import_that_was_killed_is_gone_on_with(client: Client, database_url: str, tmp_path: Path) -> None:
    file = many(tmp_path / "events.ndjson", 6_000)
    kill_once_it_wrote(database_url, "import", "--timeline", "story", str(file))
    outcome = run(file)
    assert outcome.exit_code == 0
    created, unchanged = (int(outcome.stdout.split()[i]) for i in (0, 4))
    assert created > 0 < unchanged
    assert created + unchanged == 6_000
    assert len(set(client.titles(EVENTS))) == 6_000


def test_an_import_that_is_told_to_end_does_not_finish_what_is_left(
    client: Client, database_url: str, tmp_path: Path
) -> None:
    """Not even what its processes have been given already."""
    events = [event_body(title=str(i), summary="x" * 2_000) for i in range(6_000)]
    file = written(tmp_path / "events.ndjson", *events)
    assert file.stat().st_size > 2 * intake.PIECE_BYTES
    asked = ["import", "--timeline", "story", "--jobs", "2", str(file)]
    assert kill_once_it_wrote(database_url, *asked, number=signal.SIGTERM) == 130
    outcome = run(file)
    created, unchanged = (int(outcome.stdout.split()[i]) for i in (0, 4))
    assert created > 2_000
    assert unchanged > 0
    assert len(set(client.titles(EVENTS))) == 6_000


def test_a_compressed_file_is_read_as_what_it_holds(client: Client, tmp_path: Path) -> None:
    file = written(tmp_path / "events.ndjson", event_body(title="A"), event_body(when="2013-02-31"))
    packed, table = tmp_path / "events.ndjson.GZ", tmp_path / "more.csv.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    table.write_bytes(gzip.compress(b"title,when,status\r\nB,2013,planned\r\n"))
    outcome = run(packed, table)
    assert outcome.stdout == "2 created, 0 amended, 0 unchanged, 0 deleted before, 1 refused.\n"
    assert f"dateline: {packed}, line 2, /when: " in outcome.stderr
    # the same lines have the same names, packed or not, wherever they come from
    for again in (run(file), run("-", "--format", "ndjson", given=packed.read_bytes())):
        assert again.stdout == "0 created, 0 amended, 1 unchanged, 0 deleted before, 1 refused.\n"
    assert set(client.titles(EVENTS)) == {"A", "B"}


@pytest.mark.parametrize("damaged", [lambda one: one[:-20], lambda one: one[:40] + b"\xff" * 20 + one[60:]])
def test_a_compressed_file_that_is_damaged_is_told(
    client: Client, tmp_path: Path, damaged: Callable[[bytes], bytes]
) -> None:
    packed = tmp_path / "events.ndjson.gz"
    packed.write_bytes(damaged(gzip.compress(many(tmp_path / "events.ndjson", 50).read_bytes())))
    outcome = run(packed)
    assert outcome.exit_code == 1
    assert str(outcome.exception).startswith(f"{packed} cannot be unpacked: ")
    assert client.titles(EVENTS) == []


def test_where_there_is_no_room_for_what_comes_in_that_is_told(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "events.ndjson.gz"
    packed.write_bytes(gzip.compress(many(tmp_path / "events.ndjson", 5).read_bytes()))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    for outcome, what_for in (
        (run(packed), f"to unpack {packed}"),
        (run("-", "--format", "ndjson", given=b"{}"), "for standard input"),
    ):
        assert outcome.exit_code == 1
        assert str(outcome.exception).startswith(f"there is no room {what_for} in the temporary folder")
    assert client.titles(EVENTS) == []


def test_what_finds_room_in_parts_only_is_whole(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system may take a part of what it is given, and say how much that was."""
    make = tempfile.NamedTemporaryFile

    def make_slow(**how: Any) -> Any:  # noqa: ANN401  # as the function that it stands for
        file = make(**how)
        write = file.file.write
        monkeypatch.setattr(file, "write", lambda block: write(block[:100]))
        return file

    lines = many(tmp_path / "events.ndjson", 5).read_bytes()
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", make_slow)
    assert run("-", "--format", "ndjson", given=lines).stdout.startswith("5 created")
    assert len(client.titles(EVENTS)) == 5
