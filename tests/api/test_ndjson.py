"""All events of a query as NDJSON, streamed; and what happens when a client wants something else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import anyio
import pytest

from tests.client import Client, connected
from tests.factories import make_event, make_timeline

NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def story(api: Client) -> str:
    events = make_timeline(api)
    for i in range(7):
        make_event(api, events, title=f"talks {i}", when=f"2013-02-0{i + 1}", kind="odd" if i % 2 else "even")
    return events


def lines(client: Client, path: str, **asked: Any) -> list[Any]:  # noqa: ANN401  # as the client takes it
    answer = client.send("GET", path, params=asked, headers={"Accept": NDJSON})
    assert (answer.status_code, answer.headers["content-type"]) == (200, NDJSON)
    assert answer.content == b"" or answer.content.endswith(b"\n")
    return [json.loads(line) for line in answer.content.splitlines()]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"sort": "-date"},
        {"sort": "-recorded"},
        {"q": "talks", "sort": "relevance"},
        {"kind": "odd"},
        {"datetime": "2013-02-03/2013-02-05", "certainty": "certain"},
        {"datetime": "1999"},
    ],
    ids=str,
)
def test_it_is_what_the_pages_hold(api: Client, story: str, asked: dict[str, Any]) -> None:
    assert lines(api, story, **asked) == api.walk(story, limit=3, **asked)


def test_a_link_can_ask_for_it(api: Client, story: str) -> None:
    by_link = api.get(story, format="ndjson")
    assert by_link.headers["content-type"] == NDJSON
    assert by_link.content == api.send("GET", story, headers={"Accept": NDJSON}).content
    plain = api.send("GET", story, params={"format": "json"}, headers={"Accept": NDJSON})
    assert plain.headers["content-type"] == "application/json"


def test_a_limit_ends_it(api: Client, story: str) -> None:
    assert lines(api, story, limit=3) == api.read(story, limit=3)["items"]
    assert len(lines(api, story, limit=200)) == 7


def test_it_is_not_cut_at_a_page(api: Client) -> None:
    events = make_timeline(api)
    for i in range(60):
        make_event(api, events, title=str(i))
    assert len(lines(api, events)) == 60


@pytest.mark.parametrize(("name", "value"), [("cursor", "x"), ("count", "exact"), ("count", "estimated")])
def test_what_belongs_to_pages_is_refused(api: Client, story: str, name: str, value: str) -> None:
    answer = api.get(story, format="ndjson", **{name: value})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, name)
    assert api.get(story, format="ndjson", count="none").status_code == 200


def test_no_timeline_is_no_empty_stream(api: Client) -> None:
    assert api.get("/v1/timelines/no-such-story/events", format="ndjson").status_code == 404


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/*", "application/json"),
        ("application/json, application/x-ndjson", "application/json"),
        ("application/json;q=0.5, application/x-ndjson", NDJSON),
        ("application/json;q=0, */*", NDJSON),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "application/json"),
        ("Application/X-NDJSON", NDJSON),
        ("application/json; charset=utf-8", "application/json"),
        ("*/*;q=nonsense, application/json", "application/json"),
    ],
)
def test_accept_chooses(api: Client, story: str, accept: str, given: str) -> None:
    answer = api.send("GET", story, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, given)


@pytest.mark.parametrize("accept", ["text/html", "video/*", "application/json;q=0", "*/*;q=0", "garbage", "text/xml"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_an_unacceptable_type_is_refused_with_those_to_be_had(
    api: Client, story: str, accept: str, *, everywhere: bool
) -> None:
    answer = api.send("GET", "/v1/events" if everywhere else story, headers={"Accept": accept})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (406, "/problems/not-acceptable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "application/json" in problem["detail"]
    assert NDJSON in problem["detail"]


def test_caches_are_told_that_the_answer_depends_on_accept(api: Client, story: str) -> None:
    for accept in ("application/json", NDJSON, "text/html"):
        assert "accept" in api.send("GET", story, headers={"Accept": accept}).headers["vary"].lower()


def test_a_client_that_leaves_before_the_first_line_holds_nothing_back(api_database_url: str) -> None:
    """However many come and go, the next export finds a connection."""
    with connected(api_database_url, pool_size=2) as client:
        events = make_timeline(client)
        make_event(client, events)

        async def come_and_go(spec_version: str) -> None:
            async def receive() -> dict[str, Any]:
                await anyio.lowlevel.checkpoint()
                return {"type": "http.disconnect"}

            async def send(_: Any) -> None:  # noqa: ANN401  # ASGI's message
                raise OSError("nobody listens")

            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": spec_version},
                "method": "GET",
                "path": events,
                "raw_path": events.encode(),
                "query_string": b"format=ndjson",
                "headers": [],
                "scheme": "http",
                "server": ("127.0.0.1", 80),
                "client": ("127.0.0.1", 1),
                "root_path": "",
                "http_version": "1.1",
            }
            with suppress(Exception):  # what a server does with it is its own affair
                await client.app(scope, receive, send)

        for spec_version in ("2.3", "2.4"):
            for _ in range(3):
                client.portal.call(come_and_go, spec_version)
            assert client.get(events, format="ndjson").status_code == 200


@pytest.mark.parametrize("sort", ["date", "-recorded"])
def test_whoever_leaves_in_its_midst_costs_no_connection(
    api_database_url: str, caplog: pytest.LogCaptureFixture, sort: str
) -> None:
    with connected(api_database_url, pool_size=1) as client:
        events = make_timeline(client)
        make_event(client, events)
        for _ in range(3):
            # of which the head is the whole answer
            assert client.send("HEAD", f"{events}?format=ndjson&sort={sort}").status_code == 200
            assert len(client.get(events).json()["items"]) == 1  # once the one connection is free
    assert not [one.getMessage() for one in caplog.records if one.name.startswith("psycopg")]
