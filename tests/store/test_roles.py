"""The role that serves owns nothing, and can take nothing back that the audit trail says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors, sql

from service.seeding import seed
from service.store.roles import APPENDED_ONLY, grant_service
from service.tables import metadata
from tests.citus.cluster import servers_of
from tests.client import connected
from tests.factories import make_event, make_timeline, path_of, tag_of


@pytest.fixture
def service_url(postgres: str, database_url: str) -> Iterator[str]:
    """Answer the URL of a role that is granted what serving takes, and nothing else."""
    role = f"service_{uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        url = database_url.replace("//postgres@", f"//{role}@")
        assert url != database_url
        assert grant_service(database_url, url) == role
        assert grant_service(database_url, url) == role, "again, for it is done at every start"
        yield url
        for one in servers_of(database_url):
            with psycopg.connect(one, autocommit=True) as own:
                own.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_it_serves(service_url: str) -> None:
    seed(service_url)
    with connected(service_url) as client:
        assert client.get("/health/ready").status_code == 200
        events = make_timeline(client)
        event = make_event(client, events)
        moved = client.patch(path_of(event), {"when": "2013-03"}, tag_of(event))
        assert moved.status_code == 200
        assert client.post(events.replace("/events", "/webhooks"), {"url": "https://x.example/"}).status_code == 201
        client.wait_for_feed()
        assert len(client.read(events.replace("/events", "/changes"))["items"]) == 2
        assert client.delete(path_of(event), moved.headers["etag"]).status_code == 204
        assert len(client.read("/v1/audit")["items"]) == 5


def test_several_may_grant_at_once(service_url: str, database_url: str) -> None:
    """As when several containers start; without turns, most of them would end in `tuple concurrently updated`."""
    with ThreadPoolExecutor(6) as pool:
        granted = list(pool.map(lambda _: grant_service(database_url, service_url), range(24)))
    assert len(set(granted)) == 1


def test_it_owns_nothing_and_changes_no_schema(service_url: str) -> None:
    with psycopg.connect(service_url, autocommit=True) as connection:
        owned = "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
        assert connection.execute(owned).fetchone() == (0,)
        for statement in (
            "DROP TABLE event",
            "ALTER TABLE event ADD COLUMN x int",
            "TRUNCATE audit_entry",
            "CREATE INDEX ON event (kind)",
            "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
            "CREATE TABLE mine (x int)",
            "DELETE FROM alembic_version",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)


def test_what_the_trail_says_stays(service_url: str) -> None:
    with connected(service_url) as client:
        make_timeline(client)
    with psycopg.connect(service_url, autocommit=True) as connection:
        for statement in ("UPDATE audit_entry SET caller = 'nobody'", "DELETE FROM audit_entry"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
        assert connection.execute("SELECT count(*) FROM audit_entry").fetchone() == (1,)


def test_every_table_is_either_written_or_added_to() -> None:
    assert set(metadata.tables) >= APPENDED_ONLY


def test_one_role_for_both_is_left_as_it_is(database_url: str) -> None:
    assert grant_service(database_url, database_url) is None
