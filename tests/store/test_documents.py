"""Documents of an older shape: read and written as they are, found, and brought to the present shape."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from service import rerendering
from service.cli import app
from service.store import documents
from service.store.query import timeline_id_of
from service.wire import shape
from tests.client import Client, connected
from tests.factories import Json, amend, make_event, make_timeline, path_of
from tests.live.service import ROOT
from tests.store.older_shape import UPGRADES, make_older

BETWEEN = "2013-02-20T00:00:00Z"


@pytest.fixture(autouse=True)
def _present_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "UPGRADES", UPGRADES)


@pytest.fixture
def api(database_url: str) -> Iterator[Client]:
    with connected(database_url) as client:
        yield client


def written(client: Client) -> list[Json]:
    """Write events with states of several times, and one that is deleted; give those that are there."""
    events = make_timeline(client)
    made = [
        make_event(client, events, title=f"Talks, «{i}»", topics=["talks", f"t{i}"], reported_at="2013-02-10T00:00:00Z")
        for i in range(8)
    ]
    for event in made[:4]:
        amend(client, event, topics=["peace"], status="cancelled")
    for event in made[:2]:
        amend(client, event, summary="It was said late.", reported_at=BETWEEN)
    assert client.delete(path_of(made[7]), "*").status_code == 204
    return [client.read(path_of(event)) for event in made[:7]]


def told(client: Client, made: list[Json]) -> dict[str, Any]:
    """Read all that is told of events."""
    timeline = made[0]["timeline"]
    client.wait_for_feed()
    feed = client.walk(f"/v1/timelines/{timeline}/changes")
    return {
        "pages": client.walk(f"/v1/timelines/{timeline}/events"),
        "past": client.walk(f"/v1/timelines/{timeline}/events", known_at=BETWEEN, topic="talks"),
        "single": [client.get(path_of(one)).content for one in made],
        "single then": [client.get(path_of(one), None, known_at=BETWEEN).content for one in made],
        "history": [client.walk(f"{path_of(one)}/history") for one in made],
        "claims": [client.read(f"{path_of(one)}/claims") for one in made],
        "feed": [{name: value for name, value in one.items() if name != "cursor"} for one in feed],
        "changes": len(feed),
    }


def figure(client: Client) -> float:
    found = re.search(r"^dateline_documents_of_older_shape (.*)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def run(url: str, command: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, ["documents", command], env={"DATELINE_DATABASE_URL": url})
    return outcome.exit_code, outcome.output


def test_rendered_again_all_is_as_if_it_had_been_written_so(database_url: str, api: Client) -> None:
    made = written(api)
    before = told(api, made)
    assert run(database_url, "check") == (0, "All documents have the present shape.\n")
    count = make_older(database_url)
    assert count == 7 + 7 + 1 + 4 + 2
    assert figure(api) == count
    assert run(database_url, "check") == (1, f"{count} documents are of an older shape.\n")
    between = told(api, made)
    assert between["single"] != before["single"]
    assert between["history"] == before["history"], "a history is told in one shape, whatever it is stored in"
    assert run(database_url, "rerender") == (
        0,
        f"{count} documents have the present shape now; 0 are of an older one.\n",
    )
    assert told(api, made) == before, "to the byte, and nothing new in the feed"
    assert figure(api) == 0
    assert run(database_url, "rerender") == (0, "0 documents have the present shape now; 0 are of an older one.\n")


def test_other_bytes_have_another_tag(database_url: str, api: Client) -> None:
    event = written(api)[6]
    path = path_of(event)
    present = api.get(path)
    make_older(database_url)
    older = api.get(path)
    assert (older.headers["ETag"], present.headers["ETag"]) == ('"1"', '"1.2"')
    assert "tags" in older.json()
    assert api.get(path, {"If-None-Match": '"1"'}).status_code == 304
    assert api.get(path, {"If-None-Match": '"1.2"'}).content == older.content
    rerendering.rerender(database_url)
    assert api.get(path).headers["ETag"] == '"1.2"'
    assert api.get(path, {"If-None-Match": '"1.2"'}).status_code == 304
    assert api.get(path, {"If-None-Match": '"1"'}).content == present.content


@pytest.mark.parametrize("tag", ['"1"', '"1.2"'])
def test_a_writer_has_seen_the_version_in_whichever_shape(database_url: str, api: Client, tag: str) -> None:
    event = written(api)[6]
    make_older(database_url)
    answer = api.patch(path_of(event), {"title": "Other talks"}, tag)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"2.2"'
    assert answer.json()["topics"] == event["topics"]
    assert api.patch(path_of(event), {"title": "Talks again"}, tag).headers["ETag"] == '"2.2"'


def test_a_late_report_on_an_older_state_is_of_the_present_shape(database_url: str, api: Client) -> None:
    event = written(api)[5]
    make_older(database_url)
    api.patch(path_of(event), {"summary": "Said late.", "reported_at": BETWEEN}, "*")
    assert api.read(path_of(event), known_at=BETWEEN)["topics"] == event["topics"]
    rerendering.rerender(database_url)
    assert next(one["diff"] for one in api.walk(f"{path_of(event)}/history")) == [
        {"op": "replace", "path": "/summary", "value": "Said late."}
    ]


def test_killed_and_run_again_it_goes_on(database_url: str, api: Client) -> None:
    made = written(api)
    before = told(api, made)
    count = make_older(database_url)
    command = [sys.executable, "-m", "tests.store.older_shape", database_url, "4"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    # events in threes and the one left, then states: what the last batch did was never committed
    assert rerendering.count(database_url) == count - 7
    assert rerendering.rerender(database_url) == count - 7
    assert told(api, made) == before


def test_what_another_writer_holds_is_left_and_not_waited_for(database_url: str, api: Client) -> None:
    event = written(api)[6]
    count = make_older(database_url)
    with psycopg.connect(database_url) as other:
        other.execute(
            "SELECT FROM event WHERE timeline_id = %s AND event_id = %s FOR NO KEY UPDATE",
            [timeline_id_of(event["timeline"]), event["id"]],
        )
        assert run(database_url, "rerender") == (
            1,
            f"{count - 1} documents have the present shape now; 1 is of an older one.\n",
        )
    assert rerendering.rerender(database_url) == 1


def test_a_write_meanwhile_wins(database_url: str, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two batches an event is amended: it has the present shape, and is not touched again."""
    event = max(written(api), key=lambda one: str(one["id"]))
    make_older(database_url)
    monkeypatch.setattr(documents, "BATCH_DOCUMENTS", 1)
    batch = documents.rerender_batch
    amended: list[Json] = []

    async def rerender_batch(*arguments: Any) -> Any:  # noqa: ANN401  # as the one that it stands for
        if not amended:
            amended.append(amend(api, event, title="New title"))
        return await batch(*arguments)

    monkeypatch.setattr(documents, "rerender_batch", rerender_batch)
    rerendering.rerender(database_url)
    assert api.read(path_of(event)) == amended[0]
    assert figure(api) == 0


def test_the_figure_is_bounded(database_url: str, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    written(api)
    make_older(database_url)
    monkeypatch.setattr(documents.count_older, "__defaults__", (9,))
    assert figure(api) == 9


@pytest.mark.one_server
def test_few_of_an_older_shape_are_found_by_an_index(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET enable_seqscan = off")
        for statement in documents._COUNTS:
            values = {**statement.fixed, "document_shape": 2, "limit": 10_000}
            plan = connection.execute(b"EXPLAIN (FORMAT JSON) " + statement.sql.encode(), values).fetchone()
            assert plan is not None
            assert "_shape_idx" in json.dumps(plan[0])
