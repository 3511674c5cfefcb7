"""`dateline keys`: made, listed, rotated and revoked on the command line."""

from __future__ import annotations

import psycopg
import pytest
from typer.testing import CliRunner

from service.cli import app
from service.wire.key_text import prefix_of
from tests.client import connected
from tests.keys import bearer


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_DATABASE_URL", database_url)


def run(*arguments: str) -> str:
    """Run a command, and give what it prints to be taken by another."""
    outcome = CliRunner().invoke(app, ["keys", *arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout.strip()


def test_a_key_lives_and_ends(database_url: str) -> None:
    key = run("create", "the board", "--scope", "write", "--timeline", "story", "--days", "30")
    prefix = prefix_of(key)
    assert prefix is not None
    line = next(line for line in run("list").splitlines() if line.startswith(prefix))
    assert line.startswith(f"{prefix}  the board: write story; expires 2")
    assert line.endswith("; never used")
    with connected(database_url, key=None) as client:
        story = {"slug": "story", "title": "Ours"}
        assert client.post("/v1/timelines", story, headers=bearer(key)).status_code == 201
        other = client.post("/v1/timelines", {"slug": "other", "title": "Not ours"}, headers=bearer(key))
        assert other.status_code == 403
        newer = run("rotate", prefix, "--overlap-hours", "1")
        for one in (key, newer):
            assert client.get("/v1/timelines/story", bearer(one)).status_code == 200
        assert run("revoke", prefix) == f"{prefix} is revoked."
        assert client.get("/v1/timelines/story", bearer(key)).status_code == 401
        assert client.get("/v1/timelines/story", bearer(newer)).status_code == 200
    assert "last used" in run("list")
    with connected(database_url) as client:
        told = client.read("/v1/audit", caller="operator")["items"]
    assert [one["operation"] for one in told] == ["delete_key", "create_rotation", "create_key"]
    assert key not in run("list")


def test_that_there_are_no_keys_is_said_and_where(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM api_key")
    outcome = CliRunner().invoke(app, ["keys", "list"])
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr == "No keys. Looked in the database of DATELINE_DATABASE_URL.\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("create", "x", "--scope", "root"), "dateline: --scope must be 'read', 'write' or 'admin'\n"),
        (
            ("create", "x", "--scope", "wrte"),
            "dateline: --scope must be 'read', 'write' or 'admin'; did you mean 'write'?\n",
        ),
        (
            ("create", "x", "--timeline", "No Slug"),
            "dateline: --timeline must be lower-case letters a to z, digits and",
        ),
        (("create", " "), "dateline: NAME must not be blank, nor hold a NUL character\n"),
        (("create", "x", "--scope", "admin", "--timeline", "story"), "dateline: the key: a key with the scope admin"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], complaint: str) -> None:
    outcome = CliRunner().invoke(app, ["keys", *arguments])
    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(complaint)
    assert outcome.stdout == ""
