"""Who may read, who may write, and what stays hidden."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.api.test_strictness import operations
from tests.client import Client, connected
from tests.factories import event_body, make_event, make_source, make_timeline, path_of, timeline_body

KEY = "a-key-for-the-tests-ünïcode"


def bearer(key: str, scheme: str = "Bearer") -> dict[bytes, bytes]:
    return {b"Authorization": f"{scheme} {key}".encode()}


@pytest.fixture(scope="module")
def owner(module_database_url: str) -> Iterator[Client]:
    """Answer one on the service's own machine, with no key."""
    with connected(module_database_url) as client:
        yield client


@pytest.fixture(scope="module")
def guarded(module_database_url: str) -> Iterator[Client]:
    """Answer a client of a service with a key, which it does not send of itself."""
    with connected(module_database_url, write_key=KEY, host="0.0.0.0") as client:  # noqa: S104  # nothing listens
        yield client


@pytest.fixture(scope="module")
def exposed(module_database_url: str) -> Iterator[Client]:
    """Answer a client of a service that listens to others and has no key."""
    with connected(module_database_url, host="0.0.0.0") as client:  # noqa: S104  # nothing listens
        yield client


@pytest.fixture(scope="module")
def private(owner: Client) -> dict[str, str]:
    """Make a private timeline with an event, its claim and its link, and name their paths."""
    events = make_timeline(owner, visibility="private", title="Sealed")
    event, other = make_event(owner, events, title="Secret talks"), make_event(owner, events, title="Secret talks")
    claim = owner.post(f"{path_of(event)}/claims", {"source": make_source(owner)}).headers["location"]
    owner.put(f"{path_of(event)}/links/causes/{other['id']}", None)
    return {
        "timeline": events.removesuffix("/events"),
        "events": events,
        "histogram": f"{events.removesuffix('events')}histogram?by=day",
        "event": path_of(event),
        "claims": f"{path_of(event)}/claims",
        "claim": claim,
    }


def writes(client: Client) -> list[tuple[str, str]]:
    return [(method, path) for method, path, _ in operations(client) if method != "GET"]


def is_unauthenticated(answer: httpx.Response) -> bool:
    if answer.status_code != 401:
        return False
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/unauthenticated"
    return True


def test_every_write_needs_the_key(guarded: Client) -> None:
    assert len(writes(guarded)) >= 19
    for method, path in writes(guarded):
        assert is_unauthenticated(guarded.send(method, path, json={})), (method, path)
        wrong = guarded.send(method, path, json={}, headers=bearer("another-key-altogether"))
        assert is_unauthenticated(wrong), (method, path)
        right = guarded.send(method, path, json={}, headers=bearer(KEY))
        assert right.status_code in (404, 422, 412, 428), (method, path, right.text)


def test_no_write_is_taken_where_others_listen_and_there_is_no_key(exposed: Client) -> None:
    for method, path in writes(exposed):
        for headers in ({}, bearer(KEY)):
            answer = exposed.send(method, path, json={}, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden"), (method, path)


def test_whoever_has_the_key_writes(guarded: Client) -> None:
    body = timeline_body()
    assert guarded.post("/v1/timelines", body).status_code == 401
    assert guarded.get(f"/v1/timelines/{body['slug']}").status_code == 404
    made = guarded.send("POST", "/v1/timelines", json=body, headers=bearer(KEY))
    assert made.status_code == 201
    assert guarded.get(made.headers["location"]).json() == made.json()
    event = guarded.send("POST", f"{made.headers['location']}/events", json=event_body(), headers=bearer(KEY, "bearer"))
    assert event.status_code == 201


@pytest.mark.parametrize(
    "authorization",
    [
        *(KEY, f"Basic {KEY}", f"Token {KEY}", f"Bearer,{KEY}", "Bearer", "Bearer ", "Bearer é", f"Bearer {KEY} x"),
        *(f"Bearer {KEY[:-1]}", f"Bearer {KEY}x", f"Bearer {KEY.upper()}", f"Bearer \x00{KEY}"),
    ],
)
def test_nothing_else_is_the_key(guarded: Client, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode()}
    assert is_unauthenticated(guarded.send("POST", "/v1/timelines", json=timeline_body(), headers=headers))


def test_a_wrong_key_is_refused_for_reading_too(guarded: Client) -> None:
    for path in ("/v1/timelines", "/v1/events", "/v1/actors", f"/v1/timelines/x/events/{uuid4()}"):
        assert is_unauthenticated(guarded.send("GET", path, headers=bearer("another-key-altogether")))
    for path in ("/health/live", "/openapi.json", "/v1/dates?edtf=2013", "/problems"):
        assert guarded.send("GET", path, headers=bearer("another-key-altogether")).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_the_services_own_machine_may_write_while_there_is_no_key(module_database_url: str, host: str) -> None:
    with connected(module_database_url, host=host) as client:
        assert client.post("/v1/timelines", timeline_body()).status_code == 201


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "timeline.test", ""])  # noqa: S104  # nothing listens
def test_another_machine_may_not(module_database_url: str, host: str) -> None:
    with connected(module_database_url, host=host) as client:
        assert client.post("/v1/timelines", timeline_body()).status_code == 403


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_this_machine_is_called_by_its_own_name(owner: Client, name: str) -> None:
    assert owner.send("POST", "/v1/timelines", json=timeline_body(), headers={"Host": name}).status_code == 201


@pytest.mark.parametrize("name", ["timeline.test", "localhost.timeline.test", "127.0.0.1.test", "192.0.2.1", "", "["])
def test_a_name_from_elsewhere_that_leads_here_opens_nothing(owner: Client, private: dict[str, str], name: str) -> None:
    """A page may have its own name lead to this machine, and a proxy pass on what strangers ask of it."""
    answer = owner.send("POST", "/v1/timelines", json=timeline_body(), headers={"Host": name})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert owner.send("GET", private["event"], headers={"Host": name}).status_code == 404
    assert owner.send("GET", "/v1/timelines", headers={"Host": name}).status_code == 200


def test_with_a_key_the_services_own_machine_needs_it_too(module_database_url: str) -> None:
    with connected(module_database_url, host="127.0.0.1", write_key=KEY) as client:
        assert is_unauthenticated(client.post("/v1/timelines", timeline_body()))


# What is private


def test_what_is_private_is_not_there_for_others(guarded: Client, exposed: Client, private: dict[str, str]) -> None:
    for client in (guarded, exposed):
        for path in private.values():
            answer = client.get(path)
            assert answer.status_code == 404, path
            assert "Secret" not in answer.text
            assert "Sealed" not in answer.text
            unknown = client.get(path.replace(private["timeline"], "/v1/timelines/never-was"))
            strange = {"instance", "request_id", "detail"}
            assert {**answer.json(), **dict.fromkeys(strange)} == {**unknown.json(), **dict.fromkeys(strange)}
        for asked in ({"format": "ndjson"}, {"count": "exact"}, {"q": "secret"}, {"sort": "-recorded"}, {"limit": "1"}):
            assert client.get(private["events"], **asked).status_code == 404
        assert private["timeline"] not in [f"/v1/timelines/{one['slug']}" for one in client.walk("/v1/timelines")]
        assert client.walk("/v1/timelines", name="Sealed") == []
        assert client.read("/v1/events", q="secret", count="exact") == {"items": [], "next": None, "count": 0}
        assert client.read("/v1/events", q="secret", count="estimated")["count"] == 0
        assert client.get("/v1/events", q="secret", format="ndjson").text == ""
        assert client.get("/", timeline=private["timeline"].rsplit("/", 1)[1]).status_code == 404
        assert "Sealed" not in client.get("/").text
        held = {"If-None-Match": "*"}
        assert client.send("GET", private["event"], headers=held).status_code == 404
        assert client.send("HEAD", private["event"]).status_code == 404


def test_whoever_has_the_key_sees_what_is_private(guarded: Client, private: dict[str, str]) -> None:
    for path in private.values():
        assert guarded.send("GET", path, headers=bearer(KEY)).status_code == 200
    found = guarded.send("GET", "/v1/events", params={"q": "secret"}, headers=bearer(KEY)).json()["items"]
    assert len(found) == 2


def test_visibility_can_change(owner: Client, guarded: Client) -> None:
    events = make_timeline(owner)
    make_event(owner, events)
    cursor_page = guarded.read(events)
    assert len(cursor_page["items"]) == 1
    owner.patch(events.removesuffix("/events"), {"visibility": "private"}, "*")
    assert guarded.get(events).status_code == 404
    owner.patch(events.removesuffix("/events"), {"visibility": "public"}, "*")
    assert guarded.read(events) == cursor_page


# The key itself


def test_the_key_is_never_told(guarded: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        told = []
        for method, path, _ in operations(guarded):
            for key in (KEY, f"{KEY}x"):
                answer = guarded.send(method, path, json={"key": key} if method != "GET" else None, headers=bearer(key))
                told.append(f"{answer.headers}{answer.text}")
        told += [guarded.send("GET", path, headers=bearer(KEY)).text for path in ("/", "/docs", "/health/ready")]
    for text in (*told, caplog.text):
        for secret in (KEY, "a-key-for-the-tests"):
            assert secret not in text
