"""What whoever runs a cluster does: roles, archives and backups of one machine brought in, and archives taken out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors, sql
from typer.testing import CliRunner

from service.backup import BackupError, back_up, put_back
from service.cli import app
from service.seeding import seed
from service.store.distribution import distribute
from service.store.migration import migrate
from service.store.roles import grant_service
from tests.archive.going_and_coming import brought, written
from tests.client import Client, connected
from tests.conftest import joined_database
from tests.factories import amend, make_actor, make_event, make_timeline, path_of
from tests.keys import insert_key
from tests.servers import throwaway_postgres


def write_some(client: Client) -> str:
    """Make a timeline with histories, and answer the path of its events."""
    events, actor = make_timeline(client), make_actor(client)
    amend(client, make_event(client, events, participants=[{"actor": actor}]), title="Changed")
    assert client.delete(path_of(make_event(client, events)), "*").status_code == 204
    return events


@pytest.fixture(scope="module")
def one_machine(cluster: str) -> Iterator[str]:
    """Answer the URL of a database of one machine, with several timelines in it."""
    assert cluster
    with throwaway_postgres(system=True) as url:
        migrate(url)
        insert_key(url)
        seed(url)
        with connected(url) as client:
            write_some(client)
        yield url


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_archive_of_one_machine_comes_and_goes_as_it_was(
    one_machine: str, database_url: str, tmp_path: Path, jobs: int
) -> None:
    archive = written(one_machine)
    assert brought(database_url, archive, tmp_path, jobs=jobs).errors == []
    assert written(database_url) == archive
    assert written(database_url, "syria-2013") == written(one_machine, "syria-2013")
    again = brought(database_url, archive, tmp_path, jobs=jobs)
    assert (again.created, again.entries, again.errors) == (0, 0, [])


def test_a_backup_of_one_machine_is_put_into_an_empty_cluster(
    one_machine: str, empty_database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    back_up(one_machine, file)
    put_back(empty_database_url, file)
    migrate(empty_database_url)
    distribute(empty_database_url)
    assert written(empty_database_url) == written(one_machine)
    with pytest.raises(BackupError, match="spread over a cluster"):
        put_back(empty_database_url, file, replace=True)


@pytest.fixture
def roles(postgres: str, cluster: str) -> Iterator[tuple[str, str]]:
    """Name a role that is to own the schema, and one that is to serve; only the coordinator is told of them."""
    assert cluster
    names = f"owner_{uuid4().hex}", f"service_{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        yield names
        for name in names:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_one_role_migrates_and_spreads_and_a_lesser_one_serves(
    postgres: str, roles: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with joined_database(postgres) as url:
        owner, service = (url.replace("//postgres@", f"//{role}@") for role in roles)
        with psycopg.connect(url) as connection:
            database, name = sql.Identifier(connection.info.dbname), sql.Identifier(roles[0])
            connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, name))
            connection.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(name))
        monkeypatch.setenv("DATELINE_DISTRIBUTED", "citus")
        monkeypatch.setenv("DATELINE_DATABASE_URL", service)
        monkeypatch.setenv("DATELINE_MIGRATION_DATABASE_URL", owner)
        for command in (["migrate"], ["seed"], ["export", str(tmp_path / "archive")], ["histogram", "check"]):
            assert CliRunner().invoke(app, command).exit_code == 0, command
        insert_key(service)
        with connected(service) as client:
            events = write_some(client)
            client.wait_for_feed()
            assert len(client.read(events.replace("/events", "/changes"))["items"]) == 4
            assert client.get("/health/ready").status_code == 200
        assert grant_service(owner, service) == roles[1], "again, for it is done at every start"
        with psycopg.connect(service, autocommit=True) as connection:
            for statement in ("DELETE FROM audit_entry", "TRUNCATE event", "ALTER TABLE event ADD COLUMN x int"):
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
