"""A POST with an `Idempotency-Key` is done once, however often it is sent."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from service.purging import purge
from service.seeding import seed
from service.store.idempotency import sweep_answers
from service.wire.key_text import new_key
from tests.api.asking import Asked, valid
from tests.api.published import OPERATIONS, operation_of
from tests.api.test_preconditions import at_once
from tests.api.test_problems import is_problem
from tests.client import Client, connected
from tests.factories import event_body, fresh_slug, make_event, make_source, make_timeline, path_of, timeline_body
from tests.keys import bearer, insert_key

JSON = {"Content-Type": "application/json"}
_SERIAL = itertools.count(1)
POSTS = [one for one in OPERATIONS if one.method == "post"]


def fresh_key() -> dict[str, str]:
    return {"Idempotency-Key": f"key {next(_SERIAL)}"}


def is_replay(answer: httpx.Response, first: httpx.Response) -> bool:
    """Compare an answer with the first one: the same in all but the name of the request, and it says so."""
    assert first.headers.get("idempotency-replayed") is None, "the first is no replay"
    own = {"x-request-id", "idempotency-replayed", "dateline-position"}
    told, before = ({k: v for k, v in one.headers.multi_items() if k not in own} for one in (answer, first))
    return (
        answer.headers.get("idempotency-replayed") == "true"
        and (answer.status_code, answer.content, told) == (first.status_code, first.content, before)
        and answer.headers["x-request-id"] != first.headers["x-request-id"]
        and "dateline-position" in answer.headers
    )


def test_every_post_is_done_once(writing: Client) -> None:
    """Walks the published operations: one that forgot the key would be done twice here."""
    assert len(POSTS) >= 9
    for operation in POSTS:
        asked = valid(operation)
        asked.headers.pop("If-Match", None)
        if isinstance(asked.json, dict) and "slug" in asked.json:
            asked.json = asked.json | {"slug": fresh_slug("another")}
        asked.headers |= fresh_key()
        first, again = asked.send(writing), asked.send(writing)
        assert first.status_code in (200, 201, 202), f"{operation.name}: {first.text}"
        assert is_replay(again, first), operation.name


def test_only_a_post_bears_a_key() -> None:
    for operation in OPERATIONS:
        named = [one["name"] for one in operation.parameters("header")]
        assert ("Idempotency-Key" in named) == (operation.method == "post"), operation.name


def test_an_event_is_made_once(api: Client) -> None:
    events, key, body = make_timeline(api), fresh_key(), event_body(title="É")
    first = api.post(events, body, key)
    assert first.status_code == 201
    for _ in range(3):
        assert is_replay(api.post(events, body, key), first)
    assert api.walk(events) == [first.json()]
    # what became of it since is not what was answered then
    api.patch(path_of(first.json()), {"title": "New"}, "*")
    assert is_replay(api.post(events, body, key), first)
    api.delete(path_of(first.json()), "*")
    assert is_replay(api.post(events, body, key), first)
    assert api.walk(events) == []


def test_an_answer_is_given_again_after_a_restart(database_url: str) -> None:
    key, body = fresh_key(), timeline_body()
    with connected(database_url) as before:
        first = before.post("/v1/timelines", body, key)
    with connected(database_url) as after:
        assert is_replay(after.post("/v1/timelines", body, key), first)


@pytest.mark.parametrize(
    "change",
    [
        {"content": b'{"title": "x", "when": "2013",  "status": "planned"}'},
        {"content": b'{"title": "y", "when": "2013", "status": "planned"}'},
        {"headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"params": {"dry_run": "false"}},
    ],
)
def test_another_request_under_the_same_key_is_refused(api: Client, change: dict[str, Any]) -> None:
    events, key = make_timeline(api), fresh_key()
    request: dict[str, Any] = {"content": b'{"title": "x", "when": "2013", "status": "planned"}', "headers": JSON}
    assert api.send("POST", events, **request | {"headers": request["headers"] | key}).status_code == 201
    changed = request | change
    answer = api.send("POST", events, **changed | {"headers": changed["headers"] | key})
    is_problem(answer, 422, "idempotency-key-reused")
    assert len(api.walk(events)) == 1


def test_a_key_is_bound_to_the_path(api: Client) -> None:
    key, body = fresh_key(), event_body()
    one, other = make_timeline(api), make_timeline(api)
    assert [api.post(events, body, key).status_code for events in (one, other, f"{one}")] == [201, 201, 201]
    assert [len(api.walk(events)) for events in (one, other)] == [1, 1]


def test_a_key_is_bound_to_the_caller(database_url: str) -> None:
    key, writer = fresh_key(), new_key()
    insert_key(database_url, writer, ["write"])
    with connected(database_url) as client:
        events = make_timeline(client)
        first = client.post(events, event_body(), key)
        assert first.status_code == 201
        other = client.post(events, event_body(title="Mine"), key | bearer(writer))
        assert (other.status_code, other.json()["title"]) == (201, "Mine")
        assert client.post(events, event_body(), key | bearer("nobody's")).status_code == 401


def test_what_was_refused_may_be_tried_again(api: Client) -> None:
    events, key = make_timeline(api), fresh_key()
    body = event_body(claims=[{"source": "not-there-yet"}])
    for _ in range(2):
        is_problem(api.post(events, body, key), 422, "invalid-body")
    api.post("/v1/sources", {"slug": "not-there-yet", "title": "A report"})
    first = api.post(events, body, key)
    assert first.status_code == 201
    assert is_replay(api.post(events, body, key), first)
    assert len(api.walk(events)) == 1


def test_a_newer_version_makes_no_other_request(api: Client) -> None:
    event, key, claim = make_event(api, make_timeline(api)), fresh_key(), {"source": make_source(api)}
    first = api.post(f"{path_of(event)}/claims", claim, key | {"If-Match": '"1"'})
    assert first.status_code == 201
    assert is_replay(api.post(f"{path_of(event)}/claims", claim, key | {"If-Match": '"2"'}), first)


def test_a_secret_is_given_again_and_is_not_to_be_read_in_the_store(api: Client, direct: psycopg.Connection) -> None:
    hooks = make_timeline(api).removesuffix("/events") + "/webhooks"
    made: list[tuple[str, dict[str, object], str]] = [
        (hooks, {"url": "https://receiver.example/hook"}, "secret"),
        ("/v1/keys", {"name": "a client", "scopes": ["read"]}, "key"),
    ]
    for path, body, shown in made:
        key = fresh_key()
        first = api.post(path, body, key)
        secret = first.json()[shown].encode()
        again = api.post(path, body, key)
        assert is_replay(again, first)
        assert again.headers["cache-control"] == "no-store"
        kept = [bytes(row[0]) for row in direct.execute("SELECT body FROM kept_answer")]
        assert not any(secret in one for one in kept)


@pytest.mark.parametrize("key", ["x", "x" * 255, '"quoted"', "a b", "~!@#$%^&*()"])
def test_a_key_is_any_text_of_printable_characters(api: Client, key: str) -> None:
    events, headers = make_timeline(api), {"Idempotency-Key": key}
    first = api.post(events, event_body(), headers)
    assert first.status_code == 201
    assert is_replay(api.post(events, event_body(), headers), first)


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"\xff", "é".encode(), b"a\tb"])
def test_another_key_is_refused_by_name(api: Client, key: bytes) -> None:
    events = make_timeline(api)
    headers = {b"Idempotency-Key": key, b"Content-Type": b"application/json"}
    answer = api.send("POST", events, content=json.dumps(event_body()).encode(), headers=headers)
    problem = is_problem(answer, 400, "invalid-parameter")
    assert [error["parameter"] for error in problem["errors"]] == ["Idempotency-Key"]
    assert api.walk(events) == []


def test_two_keys_are_refused(api: Client) -> None:
    events = make_timeline(api)
    headers = httpx.Headers([("Idempotency-Key", "one"), ("Idempotency-Key", "two"), *JSON.items()])
    answer = api.send("POST", events, content=json.dumps(event_body()).encode(), headers=headers)
    problem = is_problem(answer, 400, "invalid-parameter")
    assert [error["parameter"] for error in problem["errors"]] == ["Idempotency-Key"]


def test_what_is_under_way_is_not_begun_again(api: Client, direct: psycopg.Connection) -> None:
    events, key = make_timeline(api), fresh_key()
    with ThreadPoolExecutor(1) as pool:
        with direct.transaction():
            direct.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
            waiting = pool.submit(api.post, events, event_body(), key)
            while not direct.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                pass
            for body in (event_body(), event_body(title="Other")):
                meanwhile = api.post(events, body, key)
                is_problem(meanwhile, 409, "idempotency-key-in-flight")
                assert int(meanwhile.headers["retry-after"]) > 0
        first = waiting.result()
    assert first.status_code == 201
    assert is_replay(api.post(events, event_body(), key), first)
    assert len(api.walk(events)) == 1


def test_many_who_send_the_same_at_once_make_one(api: Client) -> None:
    events = make_timeline(api)
    for _ in range(5):
        key, body = fresh_key(), event_body(title=f"{uuid4()}")
        answers = at_once(20, lambda _, key=key, body=body: api.post(events, body, key))  # type: ignore[misc]
        assert {one.status_code for one in answers} <= {201, 409}
        first = [one for one in answers if one.status_code == 201 and "idempotency-replayed" not in one.headers]
        assert len(first) == 1
        replayed = [one for one in answers if "idempotency-replayed" in one.headers]
        assert all(is_replay(one, first[0]) for one in replayed)
    assert len(api.walk(events)) == 5


def test_what_was_rolled_back_keeps_no_answer(api: Client, direct: psycopg.Connection) -> None:
    """The answer is kept in the write's own transaction: where it cannot be kept, nothing is written."""
    events, key = make_timeline(api), fresh_key()
    direct.execute("ALTER TABLE kept_answer RENAME COLUMN headers TO gone")
    try:
        assert api.post(events, event_body(), key).status_code == 500
        assert api.walk(events) == []
    finally:
        direct.execute("ALTER TABLE kept_answer RENAME COLUMN gone TO headers")
    assert api.post(events, event_body(), key).status_code == 201


def _age(direct: psycopg.Connection, hours: float) -> None:
    direct.execute("UPDATE kept_answer SET created_at = created_at - make_interval(secs => %s)", [hours * 3600])


def test_a_key_is_forgotten_after_a_day(database_url: str) -> None:
    with connected(database_url) as api, psycopg.connect(database_url, autocommit=True) as direct:
        events, key = make_timeline(api), fresh_key()
        first = api.post(events, event_body(), key)
        _age(direct, 23.9)
        assert is_replay(api.post(events, event_body(), key), first)
        _age(direct, 0.2)
        # another request may have it now, though nobody has swept yet
        second = api.post(events, event_body(title="Other"), key)
        assert second.status_code == 201
        assert is_replay(api.post(events, event_body(title="Other"), key), second)
        assert len(api.walk(events)) == 2


def test_old_answers_are_swept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.store.idempotency.BATCH_ANSWERS", 2)
    with connected(database_url) as api, psycopg.connect(database_url, autocommit=True) as direct:
        events = make_timeline(api)
        for _ in range(5):
            api.post(events, event_body(), fresh_key())
        _age(direct, 25)
        key = fresh_key()
        first = api.post(events, event_body(), key)
        assert api.portal.call(lambda: sweep_answers(api.app.state.database, kept_hours=24)) == 5
        assert api.portal.call(lambda: sweep_answers(api.app.state.database, kept_hours=24)) == 0
        assert is_replay(api.post(events, event_body(), key), first)


def test_what_is_purged_is_in_no_answer_either(database_url: str) -> None:
    seed(database_url)
    with connected(database_url) as api, psycopg.connect(database_url, autocommit=True) as direct:
        events = make_timeline(api)
        made = api.post(events, event_body(title="Never to be read again"), fresh_key()).json()
        quote = {"source": make_source(api), "quote": "Never to be read again"}
        assert api.post(f"{path_of(made)}/claims", quote, fresh_key()).status_code == 201
        other = fresh_key()
        kept = api.post(events, event_body(), other)
        purge(database_url, made["timeline"], made["id"])
        rows = direct.execute("SELECT convert_from(body, 'UTF8') FROM kept_answer").fetchall()
        assert [row[0] for row in rows] == [kept.text]
        assert is_replay(api.post(events, event_body(), other), kept)


def test_the_document_shows_the_replayed_header() -> None:
    for operation in POSTS:
        for status, answer in operation.described["responses"].items():
            assert ("Idempotency-Replayed" in answer["headers"]) == (status < "300")


def test_an_example_key_is_taken(writing: Client) -> None:
    operation = operation_of("create_event")
    (header,) = (one for one in operation.parameters("header") if one["name"] == "Idempotency-Key")
    asked: Asked = valid(operation)
    asked.headers["Idempotency-Key"] = header["schema"]["examples"][0]
    assert asked.send(writing).status_code == 201
