"""What the law wants gone is gone, and the feed says that it went."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from service.cli import app
from service.errors import InUse, NotFound
from service.purging import purge
from service.store import history
from tests.client import Client, connected
from tests.factories import Json, make_event, make_timeline
from tests.meanwhile import Followed

WORD = "unrepeatable"


def written(client: Client) -> tuple[str, Json, Json]:
    """Write an event with two states, and another; give the timeline's slug and both."""
    events = make_timeline(client)
    event, other = make_event(client, events, title=WORD), make_event(client, events)
    client.patch(f"{events}/{event['id']}", {"summary": WORD}, "*")
    return event["timeline"], event, other


def test_nothing_is_left_but_that_it_was_there(database_url: str) -> None:
    with connected(database_url) as client:
        timeline, event, other = written(client)
        assert purge(database_url, timeline, UUID(event["id"])) == 2
        path = f"/v1/timelines/{timeline}/events/{event['id']}"
        assert client.get(path).status_code == 404
        assert client.get(f"{path}/history").status_code == 404
        assert client.get(path, known_at="2999").status_code == 404
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (table,) in tables:
            found = connection.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{WORD}%"])  # noqa: S608
            assert found.fetchone() == (0,), table
        for table in ("event_state", "state_facet"):
            left = connection.execute(f"SELECT DISTINCT event_id::text FROM {table}").fetchall()  # noqa: S608
            assert left == [(other["id"],)], table
        operations = connection.execute(
            "SELECT operation FROM change WHERE event_id = %s ORDER BY transaction_id, sequence", [event["id"]]
        ).fetchall()
    assert [one for (one,) in operations] == ["created", "amended", "purged"]


def test_the_feed_says_what_was_done_without_what_it_was(database_url: str) -> None:
    """Changes from before a purge stay what they were, and hold no document; so a follower of any age forgets it."""
    with connected(database_url) as client:
        timeline, event, other = written(client)
        feed = f"/v1/timelines/{timeline}/changes"
        client.wait_for_feed()
        before = client.read(feed)["items"]
        assert [one["document"] is None for one in before] == [False, False, False]
        purge(database_url, timeline, UUID(event["id"]))
        client.wait_for_feed()
        for filters in ({}, {"status": "cancelled"}):
            after = [one for one in client.read(feed, **filters)["items"] if one["event"] == event["id"]]
            assert [(one["operation"], one["version"], one["document"]) for one in after] == [
                ("created", 1, None),
                ("amended", 2, None),
                ("purged", 2, None),
            ]
        streamed = client.listen(feed, 5, after=client.read(feed)["oldest"]).text
        assert WORD not in streamed
        assert streamed.count(f'"event":"{event["id"]}"') == 3
        kept = [one for one in client.read(feed)["items"] if one["event"] == other["id"]]
        assert kept == [one for one in before if one["event"] == other["id"]]


def test_a_tombstone_is_purged_too(database_url: str) -> None:
    with connected(database_url) as client:
        timeline, event, _ = written(client)
        path = f"/v1/timelines/{timeline}/events/{event['id']}"
        client.delete(path, "*")
        assert purge(database_url, timeline, UUID(event["id"])) == 3
        assert client.get(path).status_code == 404


def test_a_reader_of_what_is_purged_meanwhile_finds_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(database_url) as client:
        timeline, event, _ = written(client)
        purged = Followed(history._RECORDED, lambda: purge(database_url, timeline, UUID(event["id"])))
        monkeypatch.setattr(history, "_RECORDED", purged)
        assert client.get(f"/v1/timelines/{timeline}/events/{event['id']}/history").status_code == 404


def test_what_others_are_linked_to_is_not_purged(database_url: str) -> None:
    with connected(database_url) as client:
        timeline, event, other = written(client)
        client.put(f"/v1/timelines/{timeline}/events/{other['id']}/links/follows/{event['id']}", None)
        with pytest.raises(InUse):
            purge(database_url, timeline, UUID(event["id"]))
        assert client.get(f"/v1/timelines/{timeline}/events/{event['id']}/history").status_code == 200


def test_what_never_was_is_not_purged(database_url: str) -> None:
    with pytest.raises(NotFound):
        purge(database_url, "nowhere", uuid4())


def test_the_command_asks_first(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_DATABASE_URL", database_url)
    with connected(database_url) as client:
        timeline, event, _ = written(client)
        path = f"/v1/timelines/{timeline}/events/{event['id']}"
        assert CliRunner().invoke(app, ["purge", timeline, event["id"]], input="n\n").exit_code == 1
        assert client.get(path).status_code == 200
        done = CliRunner().invoke(app, ["purge", timeline, event["id"], "--yes"])
        assert (done.exit_code, done.output) == (0, "Purged, with 2 states.\n")
        assert client.get(path).status_code == 404
