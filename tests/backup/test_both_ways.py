"""A backup and what is restored from it: nothing is lost, and no follower is left in silence."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.embedded import EmbeddedPostgres
from service.seeding import seed
from service.store.contents import EXTENSIONS, TABLES, read_contents
from service.store.migration import head_revision
from tests.backup.conftest import Command
from tests.client import Client, connected
from tests.factories import amend, make_actor, make_event, make_place, make_source, make_timeline, path_of, tag_of

Fresh = Callable[[], str]


class Story:
    """A timeline with some of everything, and all that a client can read of it."""

    def __init__(self, client: Client) -> None:
        self.events = make_timeline(client, visibility="private")
        self.timeline = self.events.removesuffix("/events")
        self.feed = f"{self.timeline}/changes"
        actor, place, source = make_actor(client), make_place(client), make_source(client)
        first = make_event(
            client,
            self.events,
            participants=[{"actor": actor, "role": "host"}],
            place={"place": place},
            claims=[{"source": source, "quote": 'Ä "quote" \\ 𝄞\n\ttoo', "asserts": {"status": "cancelled"}}],
            reported_at="2013-02-01T00:00:00Z",
        )
        second = make_event(client, self.events, when="-0043-03-15", title="Far away")
        self.ids = [first["id"], second["id"]]
        amend(client, first, when="[2013-02-24..2013-02-28]", reported_at="2013-02-10T00:00:00Z", reason="moved")
        linked = client.put(f"{path_of(first)}/links/follows/{second['id']}", None)
        assert linked.status_code < 300
        gone = make_event(client, self.events, title="Deleted")
        assert client.delete(path_of(gone), tag_of(gone)).status_code == 204
        self.ids.append(gone["id"])
        hook = client.post(f"{self.timeline}/webhooks", {"url": "https://receiver.example/"})
        assert hook.status_code == 201
        self.hook = f"{self.timeline}/webhooks/{hook.json()['id']}"

    def read(self, client: Client) -> dict[str, Any]:
        """Read everything: bodies as bytes, but for what every life of a database has of its own."""
        client.wait_for_feed()
        paths = [
            "/v1/timelines", "/v1/events", "/v1/actors", "/v1/places", "/v1/sources", "/v1/audit",
            self.events, f"{self.events}?known_at=2013-02-05", f"{self.events}?sort=-recorded&limit=1",
            f"{self.events}?format=ndjson", f"{self.events}?q=quote&disputed=true",
            f"{self.timeline}/histogram?by=decade", f"{self.timeline}/plans",
            f"{self.timeline}/diff?from=2013-02-05&to=2013-02-11",
        ]  # fmt: skip
        for one in self.ids:
            paths += [f"{self.events}/{one}{more}" for more in ("", "/history", "/claims", "?known_at=2013-02-05")]
        found: dict[str, Any] = {}
        for path in paths:
            answer = client.get(path)
            # a problem names its request
            found[path] = answer.status_code if answer.is_error else (answer.content, answer.headers.get("etag"))
        found["feed"] = [{**item, "cursor": None} for item in client.read(self.feed)["items"]]
        found["keys"] = [{**key, "last_used_at": None} for key in client.walk("/v1/keys")]
        found["webhook"] = client.read(self.hook)
        return found

    def latest(self, client: Client) -> str:
        client.wait_for_feed()
        return str(client.read(self.feed, after="latest")["latest"])


@pytest.mark.parametrize("place", ["elsewhere", "another version", "itself"])
def test_what_is_restored_is_what_was_there(
    place: str, database_url: str, tmp_path: Path, dateline: Command, request: pytest.FixtureRequest
) -> None:
    file = tmp_path / "backup"
    with connected(database_url) as client:
        story = Story(client)
        before, followed = story.read(client), story.latest(client)
        assert len(before["feed"]) == 6
        # as if its cluster had counted far more transactions than the one that it comes to
        ahead_by = 0 if place == "itself" else 1_000_000_000
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE change SET transaction_id = transaction_id + %s", [ahead_by])
        said = dateline(database_url, "backup", file)
        assert said == f"Backed up into {file}: {file.stat().st_size} bytes.\n"
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE change SET transaction_id = transaction_id - %s", [ahead_by])
        make_event(client, story.events, title="After the backup, and lost with it")
        ahead = story.latest(client)
    if place == "itself":
        url = database_url
        said = dateline(url, "restore", "--replace", file)
    else:
        url = request.getfixturevalue(place.replace("another", "of_another").replace(" ", "_"))()
        said = dateline(url, "restore", file)
    assert said.startswith("Restored: 1 timeline, 2 events, 6 states.\nHistograms: right.\n")
    with connected(url) as client:
        assert story.read(client) == before
        for outlived in (followed, ahead):
            answer = client.get(story.feed, after=outlived)
            assert (answer.status_code, answer.json()["type"]) == (410, "/problems/cursor-outlived")
            assert client.listen(story.feed, 1, {"Last-Event-ID": outlived}).status_code == 410
        start = story.latest(client)
        later = [make_event(client, story.events, title=str(n)) for n in range(3)]
        client.wait_for_feed()
        assert [one["event"] for one in client.read(story.feed, after=start)["items"]] == [one["id"] for one in later]
        told = [one["event"] for one in client.read(story.feed)["items"]]
        assert told == [one["event"] for one in before["feed"]] + [one["id"] for one in later]


def test_a_backup_is_its_owners_alone_and_replaces_nothing_unasked(
    database_url: str, tmp_path: Path, dateline: Command
) -> None:
    file = tmp_path / "backup"
    dateline(database_url, "backup", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_bytes()
    assert "is there already" in dateline(database_url, "backup", file, fails=True)
    assert file.read_bytes() == first
    seed(database_url)
    dateline(database_url, "backup", "--overwrite", file)
    assert len(file.read_bytes()) > len(first)
    assert [one.name for one in tmp_path.iterdir()] == ["backup"]


def test_it_holds_our_tables_all_of_them_and_no_others(
    database_url: str, tmp_path: Path, dateline: Command, elsewhere: Fresh
) -> None:
    with psycopg.connect(database_url) as connection:
        assert read_contents(database_url).tables == tuple(sorted(TABLES)), "a table that no backup knows"
        made = {row[0] for row in connection.execute("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'")}
        assert made == set(EXTENSIONS), "an extension that no backup takes along"
        connection.execute("CREATE TABLE theirs AS SELECT 1 AS one")
    dateline(database_url, "backup", tmp_path / "backup")
    dateline(database_url, "restore", "--replace", tmp_path / "backup")
    url = elsewhere()
    dateline(url, "restore", tmp_path / "backup")
    with psycopg.connect(database_url) as connection, psycopg.connect(url) as other:
        assert connection.execute("SELECT one FROM theirs").fetchone() == (1,)
        assert other.execute("SELECT to_regclass('theirs')").fetchone() == (None,)


def test_a_webhook_sends_nothing_until_it_is_enabled_again_and_two_lives_name_no_message_alike(
    database_url: str, tmp_path: Path, dateline: Command, elsewhere: Fresh
) -> None:
    with connected(database_url) as client:
        story = Story(client)
        dateline(database_url, "backup", tmp_path / "backup")
    epochs = set()
    for url in (elsewhere(), elsewhere()):
        dateline(url, "restore", tmp_path / "backup")
        with psycopg.connect(url) as connection:
            counts = "SELECT count(*) FROM webhook JOIN feed ON webhook.token = feed.token"
            assert connection.execute(counts).fetchone() == (0,), "by which a worker knows"
            row = connection.execute("SELECT epoch FROM feed").fetchone()
            assert row is not None
            epochs.add(row[0])
    assert len(epochs) == 2
    assert min(epochs) > 1
    with connected(url) as client:
        assert client.read(story.hook)["enabled"] is True


def test_a_backup_of_an_earlier_release_is_brought_to_this_one(
    empty_database_url: str, tmp_path: Path, dateline: Command, elsewhere: Fresh
) -> None:
    from alembic import command  # noqa: PLC0415  # for this one test

    from service.store.migration import configuration  # noqa: PLC0415

    command.upgrade(configuration(empty_database_url), "2026_11_24_histogram")
    dateline(empty_database_url, "backup", tmp_path / "backup")
    assert read_contents(empty_database_url).revision == "2026_11_24_histogram", "a backup changes nothing"
    url = elsewhere()
    dateline(url, "restore", tmp_path / "backup")
    assert read_contents(url).revision == head_revision()


def test_the_embedded_database_is_backed_up_while_a_service_has_it(
    tmp_path: Path, dateline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_DATA", str(tmp_path / "data"))
    assert "There is no database in" in dateline("", "backup", tmp_path / "backup", fails=True)
    dateline("", "seed")
    with EmbeddedPostgres(tmp_path / "data") as url:
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE timeline SET title = 'Meanwhile'")
        monkeypatch.setenv("PGPORT", "1")  # of another server, which is none of ours
        dateline("", "backup", tmp_path / "backup")
        said = dateline("", "restore", "--replace", tmp_path / "backup", fails=True)
        assert "in use by process" in said
        monkeypatch.delenv("PGPORT")
    monkeypatch.setenv("DATELINE_DATA", str(tmp_path / "other"))
    assert dateline("", "restore", tmp_path / "backup").startswith("Restored: 1 timeline, 36 events")
    with EmbeddedPostgres(tmp_path / "other") as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT title FROM timeline").fetchone() == ("Meanwhile",)
