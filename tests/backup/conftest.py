"""`dateline backup` and `dateline restore`, as they are typed, and other servers to restore into."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from service import serving
from service.cli import app
from service.embedded import EmbeddedError, find_programs
from tests.conftest import database_url_of, missing
from tests.servers import throwaway_postgres

_NUMBERS = itertools.count(1)
Command = Callable[..., str]


@pytest.fixture
def dateline(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command on the database of a URL, and give what it prints; `fails` gives what it complains of."""
    # the log of a command would go on where its output went, which is closed
    monkeypatch.setattr(serving, "configure_logging", lambda _settings: None)

    def run(url: str, *arguments: object, fails: bool = False) -> str:
        monkeypatch.setenv("DATELINE_DATABASE_URL", url)
        outcome = CliRunner().invoke(app, list(map(str, arguments)))
        if fails:
            assert outcome.exit_code == 1, outcome.output
            return str(outcome.exception)
        assert outcome.exit_code == 0, (outcome.output, outcome.exception)
        return outcome.stdout

    return run


def _fresh(server: str) -> Iterator[Callable[[], str]]:
    def make() -> str:
        name = f"fresh_{next(_NUMBERS)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return database_url_of(server, name)

    yield make


@pytest.fixture(scope="module")
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Make empty databases in a cluster of the same version that has counted few transactions."""
    with throwaway_postgres(system=request.config.getoption("--postgres") == "system") as server:
        yield from _fresh(server)


@pytest.fixture(scope="module")
def of_another_version(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Make empty databases in a cluster of the other PostgreSQL that this machine has."""
    system = request.config.getoption("--postgres") != "system"
    try:
        find_programs(system=system)
    except EmbeddedError:
        missing("a PostgreSQL of another version")
    with throwaway_postgres(system=system) as server:
        yield from _fresh(server)
