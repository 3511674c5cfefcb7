from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from service import announcing, seeding, serving
from service.cli import app, main
from service.errors import Unavailable
from service.settings import Settings, normalized_url, shown_url
from service.wording import counted
from tests.live.service import ROOT

LEVEL = "DATELINE_LOG_LEVEL: must be 'debug', 'info', 'warning' or 'error'"
KUBERNETES = "Kubernetes sets this variable for a Service of this name, unless the pod has `enableServiceLinks: false`"
COMMANDS = (
    *("serve", "worker", "migrate", "seed", "purge", "backup", "restore", "import", "export"),
    *("keys", "openapi", "settings"),
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("DATELINE_")]:
        monkeypatch.delenv(name)


def run(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_help_names_every_command_and_where_to_start() -> None:
    text = run("--help")
    for command in COMMANDS:
        assert f"\n  {command} " in text
    assert "dateline serve" in text
    assert "DATELINE_PORT=9000" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    assert len(run(command, "--help")) > 150


def test_version() -> None:
    assert run("--version") == f"dateline {version('dateline')}\n"


def test_settings_lists_every_setting_with_unit_default_and_present_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATELINE_STATEMENT_TIMEOUT_SECONDS", "2.5")
    text = run("settings")
    for name in Settings.model_fields:
        assert f"DATELINE_{name.upper()}=" in text
    assert "DATELINE_STATEMENT_TIMEOUT_SECONDS=2.5\n" in text
    assert "Default: 5.0 (seconds)." in text
    assert "DATELINE_DATABASE_URL=unset\n" in text


def test_settings_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_DATABASE_URL", "postgresql://me:hunter2@db:5433/dateline?sslmode=require")
    text = run("settings")
    assert "hunter2" not in text
    assert "DATELINE_DATABASE_URL=postgresql://me:***@db:5433/dateline?sslmode=require\n" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATELINE_PORT", "66000"), ("DATELINE_READ", "everybody"), ("DATELINE_LOG_LEVEL", "loud")],
)
def test_a_wrong_setting_is_named_but_not_repeated(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    outcome = CliRunner().invoke(app, ["settings"])
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"dateline: {name}: ")
    assert outcome.stderr.count("\n") == 1
    assert value not in outcome.output


@pytest.mark.parametrize("url", ["mysql://me:hunter2@localhost/x", "hunter2", "host=x hunter2"])
def test_a_wrong_database_url_is_refused_without_being_repeated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_DATABASE_URL", url)
    outcome = CliRunner().invoke(app, ["serve"])
    assert (outcome.exit_code, outcome.stderr.count("\n")) == (2, 1)
    assert outcome.stderr.startswith("dateline: DATELINE_DATABASE_URL: ")
    assert "hunter2" not in outcome.output


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATELINE_PORT", "http", "DATELINE_PORT: must be a whole number"),
        ("DATELINE_PORT", "66000", "DATELINE_PORT: must be at most 65535"),
        ("DATELINE_SEED", "nope", "DATELINE_SEED: must be true or false"),
        ("DATELINE_LOG_LEVEL", "warn", f"{LEVEL}; did you mean 'warning'?"),
        ("DATELINE_PORT", "tcp://10.0.0.1:8000", f"DATELINE_PORT: must be a whole number; {KUBERNETES}"),
    ],
)
def test_a_wrong_setting_is_answered_in_our_words(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert CliRunner().invoke(app, ["settings"]).stderr == f"dateline: {said}\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DATELINE_PROT", "did you mean DATELINE_PORT?"),
        ("dateline_logLevel", "did you mean DATELINE_LOG_LEVEL?"),
        ("DATELINE_STREAM_HEARTBEAT", "did you mean DATELINE_STREAM_HEARTBEAT_SECONDS?"),
        ("DATELINE_PROVE", "`dateline settings` lists those that there are"),
    ],
)
def test_a_misspelt_setting_does_not_go_unseen(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "a secret perhaps")
    outcome = CliRunner().invoke(app, ["settings"])
    assert outcome.exit_code == 0
    assert outcome.stderr == f"dateline: {name} is no setting of this service, and changes nothing; {said}\n"


@pytest.mark.parametrize("name", ["DATELINE_SERVICE_HOST", "DATELINE_PORT_8000_TCP_ADDR", "dateline_port", "DATELINES"])
def test_what_is_no_misspelt_setting_is_not_remarked_upon(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "8000")
    assert CliRunner().invoke(app, ["settings"]).stderr == ""


@pytest.mark.parametrize(
    ("host", "read", "said"),
    [
        ("127.0.0.1", "open", ""),
        ("localhost", "open", ""),
        ("::1", "key", ""),
        ("0.0.0.0", "open", "whoever reaches it may read what is public"),  # noqa: S104  # nothing listens
        ("archive.example", "key", "reading needs a key, too"),
    ],
)
def test_the_start_says_who_may_read_where_that_is_not_this_machine_alone(host: str, read: str, said: str) -> None:
    settings = Settings.model_validate({"host": host, "read": read})
    text = announcing.addresses("127.0.0.1", 8000, settings, None).partition(announcing.EXAMPLE)[2]
    assert text == (f"\nIt listens on {host}, beyond this machine: {said}." if said else "")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:p%40ss@db:5433/dateline?sslmode=require",
        "postgres://db/dateline",
        "host=/run/postgresql dbname='a b' user=me password='p@s s'",
        "postgresql://one:1,two:2/dateline?target_session_attrs=read-write",
        "dbname=dateline",
    ],
)
def test_a_normalized_url_means_the_same(text: str) -> None:
    url = normalized_url(text)
    assert url.startswith(("postgresql://", "postgres://"))
    assert conninfo_to_dict(url) == conninfo_to_dict(text)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@db/x",
        "postgresql://me@db/x?password=hunter2",
        "postgresql://me@db/x?pass%77ord=hunter2",
        "postgresql://db/x?user=me&sslpassword=hunter2",
    ],
)
def test_a_shown_url_has_no_password_however_it_was_written(url: str) -> None:
    assert shown_url(url).startswith("postgresql://me:***@db/x")
    assert "hunter2" not in shown_url(url)


def test_openapi_needs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_DATA", str(tmp_path / "data"))
    document = json.loads(run("openapi"))
    assert document["openapi"].startswith("3.")
    assert "/v1/timelines/{timeline}/events" in document["paths"]
    assert not (tmp_path / "data").exists()


def test_migrate_and_seed_may_be_repeated(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_DATABASE_URL", empty_database_url)
    for _ in range(2):
        assert run("migrate") == "The schema is up to date.\n"
    first = run("seed")
    assert first.endswith(" events written.\n")
    assert int(first.split()[0]) > 5
    assert run("seed") == "The timeline was there already; nothing changed.\n"
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (int(first.split()[0]),)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({}, "DATELINE_DISTRIBUTED needs a cluster: name its coordinator with DATELINE_DATABASE_URL."),
        ({"DATABASE_URL": "postgresql:///a", "READ_DATABASE_URL": "postgresql:///b"}, "not read from a replica"),
    ],
)
def test_what_a_cluster_has_not_is_refused_in_words(
    others: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ({"DISTRIBUTED": "citus"} | others).items():
        monkeypatch.setenv(f"DATELINE_{name}", value)
    assert said in str(CliRunner().invoke(app, ["migrate"]).exception)


@pytest.mark.one_server
def test_a_database_that_is_no_cluster_is_refused_in_words(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DATELINE_DISTRIBUTED", "citus")
    said = str(CliRunner().invoke(app, ["migrate"]).exception)
    assert said.startswith("DATELINE_DISTRIBUTED cannot be done. The database has no Citus")


def test_migrate_starts_the_embedded_database_where_no_other_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_DATA", str(tmp_path / "data"))
    assert run("migrate") == "The schema is up to date.\n"
    assert (tmp_path / "data" / "postgresql" / "PG_VERSION").exists()


def test_what_the_store_refuses_is_one_sentence(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence comes from far below, after the database was reached and migrated."""
    monkeypatch.setenv("DATELINE_DATABASE_URL", empty_database_url)
    monkeypatch.setattr("sys.argv", ["dateline", "seed"])
    monkeypatch.setattr(seeding, "read_seed", lambda: refuse("the database does not answer"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "dateline: the database does not answer\n"


def test_a_process_that_was_ended_from_outside_is_told(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end() -> None:
        with ProcessPoolExecutor(1) as pool:
            pool.submit(os._exit, 1).result()

    monkeypatch.setenv("DATELINE_DATABASE_URL", empty_database_url)
    monkeypatch.setattr("sys.argv", ["dateline", "seed"])
    monkeypatch.setattr(seeding, "read_seed", end)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("dateline: a process of its own was ended from outside")


def refuse(sentence: str) -> NoReturn:
    raise Unavailable(sentence)


class Interrupted:
    """Something whose destructor is interrupted by a signal, where Python drops what the handler raises."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_inside_a_destructor_is_not_lost() -> None:
    passed: list[str] = []
    with serving.stopping_on_signals() as request:
        del (lost := [Interrupted()])[0]
        passed.append("the exception was dropped")
        assert lost == []
        request.check()
        passed.append("the signal was lost")
    assert passed == ["the exception was dropped"]


def test_a_second_signal_does_not_disturb_the_unwinding() -> None:
    unwound = False
    with serving.stopping_on_signals():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the first signal interrupts at once")
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            unwound = True
    assert unwound


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "list"),
        ("keys", "revoke", "dl_4k2m9xq7wz"),
        ("keys", "rotate", "dl_4k2m9xq7wz"),
        ("histogram", "check"),
        ("histogram", "rebuild"),
        ("documents", "check"),
        ("documents", "rerender"),
        ("purge", "--yes", "story", "018f3d5e-7a10-7000-8000-000000000001"),
        ("backup", "dateline.backup"),
    ],
)
def test_no_database_is_made_for_what_needs_one_that_is_there(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in another folder than the one in which the service was started."""
    monkeypatch.chdir(tmp_path)
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 1
    assert str(outcome.exception) == f"There is no database in {tmp_path}/data; DATELINE_DATA names its folder."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "names", "said"),
    [
        (0, ("state",), "0 states"),
        (1, ("state",), "1 state"),
        (2, ("state",), "2 states"),
        (1, ("line is", "lines are"), "1 line is"),
        (2, ("line is", "lines are"), "2 lines are"),
    ],
)
def test_one_is_not_told_as_several(number: int, names: tuple[str, ...], said: str) -> None:
    assert counted(number, *names) == said


_INTERRUPTED_WHILE_LOADING = """
import sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "service.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from service.__main__ import main
main()
"""


def test_ctrl_c_ends_it_quietly_while_it_is_loaded_too() -> None:
    command = [sys.executable, "-c", _INTERRUPTED_WHILE_LOADING]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.parametrize("command", [["-m", "service"], ["-c", "from service.__main__ import main; main()"]])
def test_it_is_called_dateline_however_it_is_called(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, *command, "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("dateline ")
