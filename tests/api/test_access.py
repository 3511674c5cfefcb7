"""Who may read, who may write, and what stays hidden."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from uuid import uuid4

import httpx
import psycopg
import pytest

from service.wire.key_text import digest, new_key
from tests.api.test_strictness import operations
from tests.client import Client, connected
from tests.factories import (
    event_body,
    fresh_slug,
    make_actor,
    make_event,
    make_source,
    make_timeline,
    path_of,
    timeline_body,
)
from tests.keys import ADMIN, bearer, insert_key

READER, WRITER, LIMITED = new_key(), new_key(), new_key()
OURS = "story-of-ours"


@pytest.fixture(scope="module")
def owner(module_database_url: str) -> Iterator[Client]:
    """Answer one who may do everything, with keys in the store that open less."""
    insert_key(module_database_url, READER, ["read"])
    insert_key(module_database_url, WRITER, ["write"])
    insert_key(module_database_url, LIMITED, ["write"], [OURS])
    with connected(module_database_url) as client:
        assert client.post("/v1/timelines", timeline_body(slug=OURS, visibility="private")).status_code == 201
        yield client


# The owner has made what these ask for.


@pytest.fixture(scope="module")
def guest(owner: Client, module_database_url: str) -> Iterator[Client]:  # noqa: ARG001  # as above
    """Answer a client that sends no key of itself."""
    with connected(module_database_url, key=None) as client:
        yield client


@pytest.fixture(scope="module")
def closed(owner: Client, module_database_url: str) -> Iterator[Client]:  # noqa: ARG001  # as above
    """Answer a client, without a key, of a service that nobody reads without one."""
    with connected(module_database_url, key=None, read="key") as client:
        yield client


@pytest.fixture(scope="module")
def private(owner: Client) -> dict[str, str]:
    """Make a private timeline with an event, its claim and its link, and name their paths."""
    events = make_timeline(owner, visibility="private", title="Sealed")
    event, other = make_event(owner, events, title="Secret talks"), make_event(owner, events, title="Secret talks")
    claim = owner.post(f"{path_of(event)}/claims", {"source": make_source(owner)}).headers["location"]
    owner.put(f"{path_of(event)}/links/causes/{other['id']}", None)
    timeline = events.removesuffix("/events")
    return {
        "timeline": timeline,
        "events": events,
        "histogram": f"{events.removesuffix('events')}histogram?by=day",
        "event": path_of(event),
        "history": f"{path_of(event)}/history",
        "claims": f"{path_of(event)}/claims",
        "claim": claim,
        "changes": f"{timeline}/changes",
        "plans": f"{timeline}/plans",
        "diff": f"{timeline}/diff?from=2013&to=2014",
    }


def writes(client: Client) -> list[tuple[str, str]]:
    return [(method, path) for method, path, _ in operations(client) if method != "GET"]


def is_unauthenticated(answer: httpx.Response) -> bool:
    if answer.status_code != 401:
        return False
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/unauthenticated"
    return True


def is_forbidden(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and answer.json()["type"] == "/problems/forbidden"


def test_every_write_needs_a_key_that_writes(guest: Client) -> None:
    assert len(writes(guest)) >= 28
    for method, path in writes(guest):
        assert is_unauthenticated(guest.send(method, path, json={})), (method, path)
        for wrong in (new_key(), "another-key-altogether"):
            assert is_unauthenticated(guest.send(method, path, json={}, headers=bearer(wrong))), (method, path)
        reads = guest.send(method, path, json={}, headers=bearer(READER))
        # to who may not write a timeline that is none, it is none
        assert is_forbidden(reads) or reads.status_code == 404, (method, path)
        right = guest.send(method, path, json={}, headers=bearer(ADMIN))
        assert right.status_code in (404, 412, 415, 422, 428), (method, path, right.text)


def test_whoever_has_a_key_writes(guest: Client) -> None:
    body = timeline_body()
    assert guest.post("/v1/timelines", body).status_code == 401
    assert guest.get(f"/v1/timelines/{body['slug']}").status_code == 404
    made = guest.send("POST", "/v1/timelines", json=body, headers=bearer(WRITER))
    assert made.status_code == 201
    assert guest.get(made.headers["location"]).json() == made.json()
    scheme = {"Authorization": f"bearer {WRITER}"}
    event = guest.send("POST", f"{made.headers['location']}/events", json=event_body(), headers=scheme)
    assert event.status_code == 201


@pytest.mark.parametrize(
    "authorization",
    [
        *(ADMIN, f"Basic {ADMIN}", f"Token {ADMIN}", f"Bearer,{ADMIN}", "Bearer", "Bearer ", "Bearer é"),
        *(f"Bearer {ADMIN} x", f"Bearer {ADMIN[:-1]}", f"Bearer {ADMIN}x", f"Bearer {ADMIN.upper()}"),
        *(f"Bearer \x00{ADMIN}", f"Bearer {ADMIN.swapcase()}", f"Bearer {ADMIN.replace('test', 'tset', 1)}"),
    ],
)
def test_nothing_else_is_the_key(guest: Client, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode()}
    assert is_unauthenticated(guest.send("POST", "/v1/timelines", json=timeline_body(), headers=headers))


def test_a_key_that_is_sent_as_it_is_is_told_how(guest: Client) -> None:
    answer = guest.send("GET", "/v1/timelines", headers={"Authorization": ADMIN})
    assert is_unauthenticated(answer)
    assert answer.json()["detail"] == "send the key as Authorization: Bearer dl_…"
    assert ADMIN not in answer.text


def test_what_a_proxy_in_front_is_sent_is_no_key(guest: Client) -> None:
    for headers in ({"Authorization": "Basic dXNlcjpkbF8="}, {"Authorization": f"Basic {ADMIN}"}, {"X-API-Key": ADMIN}):
        assert guest.send("GET", "/v1/timelines", headers=headers).status_code == 200


def test_a_wrong_key_is_refused_for_reading_too(guest: Client) -> None:
    for path in ("/v1/timelines", "/v1/events", "/v1/actors", f"/v1/timelines/x/events/{uuid4()}"):
        assert is_unauthenticated(guest.send("GET", path, headers=bearer(new_key())))
    for path in ("/health/live", "/openapi.json", "/v1/dates?edtf=2013", "/problems"):
        assert guest.send("GET", path, headers=bearer(new_key())).status_code == 200


def test_history_names_the_key_that_wrote(owner: Client, guest: Client) -> None:
    events = make_timeline(owner)
    made = guest.send("POST", events, json=event_body(), headers=bearer(WRITER))
    (state,) = owner.read(f"{made.headers['location']}/history")["items"]
    assert state["author"] == WRITER[:13]


# What a key is limited to


def test_a_limited_key_writes_its_timelines_alone(owner: Client, guest: Client) -> None:
    public = make_timeline(owner)
    sealed = make_timeline(owner, visibility="private")
    headers = bearer(LIMITED)
    assert guest.send("POST", f"/v1/timelines/{OURS}/events", json=event_body(), headers=headers).status_code == 201
    assert is_forbidden(guest.send("POST", public, json=event_body(), headers=headers))
    assert guest.send("POST", sealed, json=event_body(), headers=headers).status_code == 404
    nowhere = guest.send("POST", "/v1/timelines/never-was/events", json=event_body(), headers=headers)
    assert nowhere.status_code == 404
    conditions = headers | {"If-Match": "*"}
    for method in ("PATCH", "DELETE"):
        assert is_forbidden(guest.send(method, public.removesuffix("/events"), json={}, headers=conditions))
        assert guest.send(method, sealed.removesuffix("/events"), json={}, headers=conditions).status_code == 404
    described = guest.send("PATCH", f"/v1/timelines/{OURS}", json={"description": "ours"}, headers=conditions)
    assert described.status_code == 200
    assert is_forbidden(guest.send("POST", "/v1/timelines", json=timeline_body(), headers=headers))


def test_a_limited_key_adds_to_what_all_share_and_changes_nothing_there(owner: Client, guest: Client) -> None:
    body = {"slug": fresh_slug("actor"), "name": "New", "kind": "person"}
    assert guest.send("POST", "/v1/actors", json=body, headers=bearer(LIMITED)).status_code == 201
    other = f"/v1/actors/{make_actor(owner)}"
    conditions = bearer(LIMITED) | {"If-Match": "*"}
    for path in (other, f"/v1/actors/{body['slug']}"):
        assert is_forbidden(guest.send("PATCH", path, json={"name": "Mine"}, headers=conditions))
        assert is_forbidden(guest.send("DELETE", path, headers=conditions))
    assert guest.send("DELETE", other, headers=bearer(WRITER) | {"If-Match": "*"}).status_code == 204


def test_a_limited_key_sees_what_is_public_and_what_is_its_own(
    owner: Client, guest: Client, private: dict[str, str]
) -> None:
    events = make_timeline(owner, title="For all")
    headers = bearer(LIMITED)
    listed = guest.send("GET", "/v1/timelines", params={"limit": 200}, headers=headers).json()["items"]
    slugs = {one["slug"] for one in listed}
    assert {OURS, events.split("/")[3]} <= slugs
    assert private["timeline"].split("/")[3] not in slugs
    for path in private.values():
        assert guest.send("GET", path, headers=headers).status_code == 404, path
    assert guest.send("GET", "/v1/events", params={"q": "secret"}, headers=headers).json()["items"] == []


def test_only_an_unlimited_admin_handles_keys(guest: Client) -> None:
    for key in (READER, WRITER, LIMITED):
        assert is_forbidden(guest.send("GET", "/v1/keys", headers=bearer(key)))
        assert is_forbidden(guest.send("POST", "/v1/keys", json={"name": "x", "scopes": ["read"]}, headers=bearer(key)))
    assert is_unauthenticated(guest.get("/v1/keys"))


# Where reading needs a key


def test_without_a_key_nothing_is_read_where_reading_needs_one(closed: Client) -> None:
    for method, path, _ in operations(closed):
        if method == "GET" and path.startswith("/v1/") and not path.startswith("/v1/dates"):
            assert is_unauthenticated(closed.get(path)), path
    assert is_unauthenticated(closed.get("/"))
    assert closed.get("/health/live").status_code == 200


def test_there_a_limited_key_reads_its_timelines_alone(owner: Client, closed: Client) -> None:
    events = make_timeline(owner)
    make_event(owner, events, title="Public elsewhere")
    assert closed.send("GET", events, headers=bearer(READER)).status_code == 200
    assert closed.send("GET", events, headers=bearer(LIMITED)).status_code == 404
    assert closed.send("POST", events, json=event_body(), headers=bearer(LIMITED)).status_code == 404
    listed = closed.send("GET", "/v1/timelines", headers=bearer(LIMITED)).json()["items"]
    assert [one["slug"] for one in listed] == [OURS]
    found = closed.send("GET", "/v1/events", params={"q": "elsewhere"}, headers=bearer(LIMITED)).json()["items"]
    assert found == []


# What is private


def test_what_is_private_is_not_there_for_others(guest: Client, private: dict[str, str]) -> None:
    for headers in ({}, bearer(LIMITED)):
        for path in private.values():
            answer = guest.get(path, headers)
            assert answer.status_code == 404, path
            assert "Secret" not in answer.text
            assert "Sealed" not in answer.text
            unknown = guest.get(path.replace(private["timeline"], "/v1/timelines/never-was"), headers)
            strange = {"instance", "request_id", "detail"}
            assert {**answer.json(), **dict.fromkeys(strange)} == {**unknown.json(), **dict.fromkeys(strange)}
    for asked in ({"format": "ndjson"}, {"count": "exact"}, {"q": "secret"}, {"sort": "-recorded"}, {"limit": "1"}):
        assert guest.get(private["events"], **asked).status_code == 404
    assert private["timeline"] not in [f"/v1/timelines/{one['slug']}" for one in guest.walk("/v1/timelines")]
    assert guest.walk("/v1/timelines", name="Sealed") == []
    assert guest.read("/v1/events", q="secret", count="exact") == {"items": [], "next": None, "count": 0}
    assert guest.read("/v1/events", q="secret", count="estimated")["count"] == 0
    assert guest.get("/v1/events", q="secret", format="ndjson").text == ""
    assert guest.get("/", timeline=private["timeline"].rsplit("/", 1)[1]).status_code == 404
    assert "Sealed" not in guest.get("/").text
    held = {"If-None-Match": "*"}
    assert guest.send("GET", private["event"], headers=held).status_code == 404
    assert guest.send("HEAD", private["event"]).status_code == 404


def test_an_unlimited_key_sees_what_is_private(guest: Client, private: dict[str, str]) -> None:
    for key in (READER, WRITER, ADMIN):
        for path in private.values():
            assert guest.send("GET", path, headers=bearer(key)).status_code == 200
        found = guest.send("GET", "/v1/events", params={"q": "secret"}, headers=bearer(key)).json()["items"]
        assert len(found) == 2


def test_visibility_can_change(owner: Client, guest: Client) -> None:
    events = make_timeline(owner)
    make_event(owner, events)
    cursor_page = guest.read(events)
    assert len(cursor_page["items"]) == 1
    owner.patch(events.removesuffix("/events"), {"visibility": "private"}, "*")
    assert guest.get(events).status_code == 404
    owner.patch(events.removesuffix("/events"), {"visibility": "public"}, "*")
    assert guest.read(events) == cursor_page


# The key itself


def test_the_key_is_never_told(guest: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        told = []
        for method, path, _ in operations(guest):
            for key in (READER, f"{READER}x", new_key()):
                answer = guest.send(method, path, json={"key": key} if method != "GET" else None, headers=bearer(key))
                told.append(f"{answer.headers}{answer.text}")
        told += [guest.send("GET", path, headers=bearer(READER)).text for path in ("/", "/docs", "/health/ready")]
    for text in (*told, caplog.text):
        assert READER[14:] not in text


# Making, rotating, revoking


def make_key(owner: Client, **members: object) -> dict[str, str]:
    answer = owner.post("/v1/keys", {"name": "a client", "scopes": ["write"], **members})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, str] = answer.json()
    assert answer.headers["location"] == f"/v1/keys/{made['prefix']}"
    return made


def opens(guest: Client, key: str) -> bool:
    answer = guest.send("GET", "/v1/timelines", headers=bearer(key))
    assert answer.status_code == 200 or is_unauthenticated(answer)
    return answer.status_code == 200


def test_a_key_is_shown_once_and_kept_as_a_hash(owner: Client, guest: Client, module_database_url: str) -> None:
    made = make_key(owner, timelines=[OURS], expires_at="2126-01-01T00:00:00Z")
    key = made.pop("key")
    assert opens(guest, key)
    read = owner.read(f"/v1/keys/{made['prefix']}")
    assert read.pop("last_used_at") is not None
    assert read == {name: value for name, value in made.items() if name != "last_used_at"}
    assert read["created_by"] == ADMIN[:13]
    with psycopg.connect(module_database_url) as connection:
        row = connection.execute(
            "SELECT api_key::text, hash FROM api_key WHERE prefix = %s", [made["prefix"]]
        ).fetchone()
    assert row is not None
    assert key not in row[0]
    assert key[14:] not in row[0]
    assert row[1] == digest(key)


def test_keys_are_listed_page_by_page(owner: Client) -> None:
    made = {make_key(owner)["prefix"] for _ in range(3)}
    walked = owner.walk("/v1/keys", limit=2)
    prefixes = [one["prefix"] for one in walked]
    assert made <= set(prefixes)
    assert prefixes == sorted(set(prefixes))
    assert all("key" not in one for one in walked)


def test_a_revoked_key_opens_nothing_at_once(owner: Client, guest: Client) -> None:
    made = make_key(owner)
    assert opens(guest, made["key"])
    for _ in range(2):  # it stays revoked
        assert owner.delete(f"/v1/keys/{made['prefix']}").status_code == 204
        assert not opens(guest, made["key"])
    answer = guest.send("GET", "/v1/timelines", headers=bearer(made["key"]))
    assert answer.json()["detail"] == "the key was revoked"
    assert owner.read(f"/v1/keys/{made['prefix']}")["revoked_at"] is not None
    assert owner.post(f"/v1/keys/{made['prefix']}/rotation", {}).status_code == 404


def test_an_expired_key_opens_nothing(owner: Client, guest: Client, module_database_url: str) -> None:
    made = make_key(owner, expires_at="2126-01-01T00:00:00Z")
    with psycopg.connect(module_database_url) as connection:
        connection.execute("UPDATE api_key SET expires_at = now() WHERE prefix = %s", [made["prefix"]])
    answer = guest.send("GET", "/v1/timelines", headers=bearer(made["key"]))
    assert is_unauthenticated(answer)
    assert answer.json()["detail"] == "the key has expired"


def test_rotation_leaves_both_good_for_a_while(owner: Client, guest: Client) -> None:
    old = make_key(owner, timelines=[OURS])
    answer = owner.post(f"/v1/keys/{old['prefix']}/rotation", {"overlap_seconds": 3600})
    assert answer.status_code == 201
    new = answer.json()
    assert {new[name] == old[name] for name in ("name", "scopes", "timelines", "expires_at")} == {True}
    assert (new["replaces"], new["created_by"]) == (old["prefix"], ADMIN[:13])
    assert opens(guest, old["key"])
    assert opens(guest, new["key"])
    ends = owner.read(f"/v1/keys/{old['prefix']}")["expires_at"]
    assert ends is not None
    at_once = owner.post(f"/v1/keys/{new['prefix']}/rotation", {"overlap_seconds": 0})
    assert at_once.status_code == 201
    assert not opens(guest, new["key"])
    assert opens(guest, at_once.json()["key"])


@pytest.mark.parametrize(
    "members",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": ["admin"], "timelines": [OURS]},
        {"timelines": []},
        {"timelines": ["Not a slug"]},
        {"expires_at": "soon"},
        {"name": " "},
        {"key": "dl_mine"},
        {"created_by": "me"},
    ],
)
def test_a_key_is_asked_for_soundly(owner: Client, members: dict[str, object]) -> None:
    answer = owner.post("/v1/keys", {"name": "a client", "scopes": ["write"], **members})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-body")


@pytest.mark.parametrize("dry_run", [None, True])
@pytest.mark.parametrize("expires_at", ["2013-02-15T00:00:00Z", "-0043-03-15T12:00:00Z"])
def test_no_key_is_dead_from_birth(owner: Client, expires_at: str, *, dry_run: bool | None) -> None:
    before = owner.walk("/v1/keys")
    body = {"name": "a client", "scopes": ["write"], "expires_at": expires_at}
    answer = owner.send("POST", "/v1/keys", json=body, params=None if dry_run is None else {"dry_run": dry_run})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-body")
    assert answer.json()["errors"] == [{"pointer": "/expires_at", "detail": "must be to come"}]
    assert owner.walk("/v1/keys") == before


def test_reading_with_a_key_works_where_nothing_can_be_written(
    owner: Client, guest: Client, module_database_url: str
) -> None:
    fresh = make_key(owner)["key"]
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        try:
            with connected(module_database_url, key=None) as reader:
                assert opens(reader, fresh)
        finally:
            connection.execute("SET transaction_read_only = off")
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert opens(guest, fresh)


def test_reading_with_a_key_does_not_wait_for_who_changes_the_key(
    owner: Client, guest: Client, module_database_url: str
) -> None:
    made = make_key(owner)
    with psycopg.connect(module_database_url) as holding:
        holding.execute("SELECT FROM api_key WHERE prefix = %s FOR UPDATE", [made["prefix"]])
        assert opens(guest, made["key"])
