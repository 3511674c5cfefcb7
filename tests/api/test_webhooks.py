"""Webhooks over HTTP: their life, their secrets, who may see them."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.client import Client, connected
from tests.factories import make_event, make_timeline, path_of, tag_of
from tests.keys import ADMIN, bearer

URL = "https://receiver.example/hooks/dateline?x=1"


def hooks_of(events: str) -> str:
    return events.removesuffix("/events") + "/webhooks"


def make_webhook(client: Client, events: str, **members: object) -> dict[str, Any]:
    answer = client.post(hooks_of(events), {"url": URL} | members)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{hooks_of(events)}/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    return made


def path(webhook: dict[str, Any]) -> str:
    return f"/v1/timelines/{webhook['timeline']}/webhooks/{webhook['id']}"


def test_a_webhook_is_made_with_what_was_not_said_filled_in(api: Client) -> None:
    events = make_timeline(api)
    made = make_webhook(api, events)
    (secret,) = made.pop("secrets")
    assert secret["expires_at"] is None
    shown = made.pop("secret")
    assert shown.startswith("whsec_")
    assert len(base64.b64decode(shown.removeprefix("whsec_"), validate=True)) == 32
    assert made == {
        "id": made["id"],
        "timeline": events.split("/")[3],
        "url": URL,
        "description": None,
        "operations": ["created", "amended", "deleted", "revived", "purged"],
        "filter": {"status": [], "kind": [], "actor": [], "place": [], "topic": [], "source": []},
        "enabled": True,
        "disabled_reason": None,
        "version": 1,
        "created_at": made["created_at"],
    }


def test_a_secret_is_shown_once_and_never_again(api: Client) -> None:
    events = make_timeline(api)
    made = make_webhook(api, events)
    rotated = api.post(f"{path(made)}/secrets", {})
    assert rotated.status_code == 201
    secrets = [made["secret"], rotated.json()["secret"]]
    assert all(one.startswith("whsec_") for one in secrets)
    assert secrets[0] != secrets[1]
    later = [
        api.get(path(made)).text,
        api.get(hooks_of(events)).text,
        api.patch(path(made), {"description": "New"}, '"2"').text,
        api.patch(path(made), {"description": "Stale"}, '"1"').text,
        api.post(f"{path(made)}/replay", {}).text,
        api.get(f"{path(made)}/deliveries").text,
        api.post(f"{path(made)}/secrets", {"grace_seconds": -1}).text,
        api.delete(path(made)).text,
    ]
    for text in later:
        assert text
        for secret in secrets:
            encoded = secret.removeprefix("whsec_")
            assert encoded not in text
            assert base64.b64decode(encoded).hex() not in text


def test_an_answer_with_a_secret_is_not_to_be_kept_on_the_way(api: Client) -> None:
    events = make_timeline(api)
    answer = api.post(hooks_of(events), {"url": URL})
    assert answer.headers["cache-control"] == "no-store"
    assert api.post(f"{path(answer.json())}/secrets", {}).headers["cache-control"] == "no-store"


def test_a_webhook_is_read_changed_and_removed_by_version(api: Client) -> None:
    made = make_webhook(api, make_timeline(api))
    read = api.get(path(made))
    assert read.headers["etag"] == '"1"'
    assert read.json() == {name: value for name, value in made.items() if name != "secret"}
    assert api.get(path(made), {"If-None-Match": '"1"'}).status_code == 304
    assert api.patch(path(made), {"description": "x"}).status_code == 428
    changed = api.patch(
        path(made),
        {"description": "Mine", "operations": ["deleted"], "filter": {"kind": ["meeting"]}, "url": "http://a.example"},
        '"1"',
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json() == read.json() | {
        "description": "Mine",
        "operations": ["deleted"],
        "filter": read.json()["filter"] | {"kind": ["meeting"]},
        "url": "http://a.example",
        "version": 2,
    }
    stale = api.patch(path(made), {"description": "x"}, '"1"')
    assert (stale.status_code, stale.headers["etag"], stale.json()["current"]) == (412, '"2"', changed.json())
    cleared = api.patch(path(made), {"description": None, "operations": None, "filter": None}, '"2"').json()
    assert cleared == read.json() | {"url": "http://a.example", "version": 3}
    assert api.delete(path(made)).status_code == 428
    assert api.delete(path(made), '"2"').status_code == 412
    assert api.delete(path(made), '"3"').status_code == 204
    assert api.get(path(made)).status_code == 404
    assert api.patch(path(made), {"description": "x"}, '"3"').status_code == 404


def test_webhooks_are_listed_page_by_page(api: Client) -> None:
    events = make_timeline(api)
    made = [make_webhook(api, events, description=str(i))["id"] for i in range(5)]
    make_webhook(api, make_timeline(api))
    pages = list(api.pages(hooks_of(events), limit=2))
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [one["id"] for page in pages for one in page["items"]] == made
    foreign = api.get(hooks_of(make_timeline(api)), cursor=pages[0]["next"])
    assert (foreign.status_code, foreign.json()["type"]) == (400, "/problems/invalid-cursor")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"url": None}, "/url"),
        ({"url": "ftp://receiver.example/"}, "/url"),
        ({"url": "https://user:hunter2@receiver.example/"}, "/url"),
        ({"url": "http://0x7f.1/hunter2"}, "/url"),
        ({"url": "http://localhost/hunter2"}, "/url"),
        ({"url": "http://127.0.0.1/hunter2"}, "/url"),
        ({"url": "http://[::ffff:10.0.0.1]/hunter2"}, "/url"),
        ({"url": "http://169.254.169.254/hunter2"}, "/url"),
        ({"url": "http://receiver.example:25/"}, "/url"),
        ({"operations": []}, "/operations"),
        ({"operations": ["renamed"]}, "/operations/0"),
        ({"filter": {"colour": ["red"]}}, "/filter/colour"),
        ({"filter": {"kind": ["A B"]}}, "/filter/kind/0"),
        ({"secret": "whsec_x"}, "/secret"),
        ({"description": "a\0b"}, "/description"),
    ],
)
def test_what_cannot_be_is_refused_and_a_url_never_echoed(api: Client, members: dict[str, Any], pointer: str) -> None:
    events = make_timeline(api)
    made = make_webhook(api, events)
    for answer in (
        api.post(hooks_of(events), {"url": URL} | members),
        api.patch(path(made), members, '"1"'),
    ):
        problem = answer.json()
        assert (answer.status_code, problem["errors"][0]["pointer"]) == (422, pointer), problem
        assert "hunter2" not in answer.text
    assert api.read(path(made))["version"] == 1


def test_a_private_address_is_taken_where_the_operator_allows_it(api_database_url: str) -> None:
    with connected(api_database_url, webhook_allow_private=True) as client:
        made = make_webhook(client, make_timeline(client), url="http://10.0.0.1:8080/hook")
        assert made["url"] == "http://10.0.0.1:8080/hook"


def test_old_secrets_sign_for_their_time_and_can_be_ended(api: Client) -> None:
    made = make_webhook(api, make_timeline(api))
    first = made["secrets"][0]["id"]
    second = api.post(f"{path(made)}/secrets", {"grace_seconds": 3600})
    assert second.headers["etag"] == '"2"'
    kept = api.read(path(made))
    assert [one["id"] for one in kept["secrets"]] == [first, second.json()["id"]]
    assert kept["secrets"][0]["expires_at"] is not None
    assert kept["secrets"][1]["expires_at"] is None
    assert kept["version"] == 2
    newest = api.delete(f"{path(made)}/secrets/{second.json()['id']}")
    assert (newest.status_code, newest.json()["type"]) == (409, "/problems/in-use")
    assert api.delete(f"{path(made)}/secrets/{first}", '"1"').status_code == 412
    ended = api.delete(f"{path(made)}/secrets/{first}", '"2"')
    assert (ended.status_code, ended.headers["etag"]) == (204, '"3"')
    assert [one["id"] for one in api.read(path(made))["secrets"]] == [second.json()["id"]]
    assert api.delete(f"{path(made)}/secrets/{first}").status_code == 404
    # without any grace the one before is gone at once
    third = api.post(f"{path(made)}/secrets", {"grace_seconds": 0}).json()
    assert [one["id"] for one in api.read(path(made))["secrets"]] == [third["id"]]


def test_a_second_rotation_does_not_lengthen_the_time_of_the_first(api: Client) -> None:
    made = make_webhook(api, make_timeline(api))
    api.post(f"{path(made)}/secrets", {"grace_seconds": 60})
    ends = api.read(path(made))["secrets"][0]["expires_at"]
    api.post(f"{path(made)}/secrets", {"grace_seconds": 86400})
    first, second, third = api.read(path(made))["secrets"]
    assert first["expires_at"] == ends
    assert second["expires_at"] > ends
    assert third["expires_at"] is None


def test_there_are_not_too_many_secrets(api: Client) -> None:
    made = make_webhook(api, make_timeline(api))
    answers = [api.post(f"{path(made)}/secrets", {}) for _ in range(10)]
    assert [one.status_code for one in answers] == [201] * 9 + [422]
    secrets = api.read(path(made))["secrets"]
    assert len(secrets) == 10
    assert secrets[-1]["expires_at"] is None, "a rotation that was refused ended the newest secret"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer not-the-key-at-all"}])
def test_only_who_may_write_sees_or_changes_webhooks(api_database_url: str, headers: dict[str, str]) -> None:
    with connected(api_database_url, key=None) as client:
        mine = bearer(ADMIN)
        slug = f"story-{uuid4()}"
        assert client.post("/v1/timelines", {"slug": slug, "title": "x"}, headers=mine).status_code == 201
        hooks = f"/v1/timelines/{slug}/webhooks"
        made = client.post(hooks, {"url": URL}, headers=mine).json()
        one = f"{hooks}/{made['id']}"
        assert client.get(one, mine).status_code == 200
        tried = [
            ("GET", hooks, None),
            ("POST", hooks, {"url": URL}),
            ("GET", one, None),
            ("PATCH", one, {"enabled": False}),
            ("DELETE", one, None),
            ("POST", f"{one}/secrets", {}),
            ("DELETE", f"{one}/secrets/{made['secrets'][0]['id']}", None),
            ("GET", f"{one}/deliveries", None),
            ("POST", f"{one}/deliveries/{uuid4()}/retry", None),
            ("POST", f"{one}/replay", {}),
        ]
        for method, address, body in tried:
            answer = client.send(method, address, json=body, headers=headers | {"If-Match": "*"})
            assert answer.status_code == 401, (method, address)
            assert URL not in answer.text
        assert client.get(one, mine).json()["version"] == 1


def test_what_belongs_to_another_timeline_is_not_there(api: Client) -> None:
    made = make_webhook(api, make_timeline(api))
    other = f"{hooks_of(make_timeline(api))}/{made['id']}"
    assert api.get(other).status_code == 404
    assert api.delete(other, "*").status_code == 404
    assert api.get(f"{other}/deliveries").status_code == 404
    assert api.get(f"{path(made)}/deliveries", state="lost").status_code == 400
    assert api.get("/v1/timelines/no-such-story/webhooks").status_code == 404
    assert api.post("/v1/timelines/no-such-story/webhooks", {"url": URL}).status_code == 404
    assert api.send("POST", f"{path(made)}/deliveries/{uuid4()}/retry").status_code == 404


def test_a_timeline_goes_with_its_webhooks(api: Client, direct: psycopg.Connection) -> None:
    events = make_timeline(api)
    made = make_webhook(api, events)
    timeline = events.removesuffix("/events")
    assert api.delete(timeline, "*").status_code == 204
    for table in ("webhook", "webhook_secret"):
        rows = direct.execute(f"SELECT 1 FROM {table} WHERE webhook_id = %s", [made["id"]]).fetchall()  # noqa: S608
        assert rows == []


def test_a_replay_begins_at_a_cursor_of_this_feed_alone(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events)
    api.patch(path_of(event), {"title": "Moved"}, tag_of(event))
    made = make_webhook(api, events)
    feed = events.removesuffix("/events") + "/changes"
    items = api.read(feed)["items"]
    assert api.read(f"{path(made)}/deliveries")["reached"] == items[-1]["cursor"]
    answer = api.post(f"{path(made)}/replay", {"after": items[0]["cursor"]})
    assert (answer.status_code, answer.json()) == (202, api.read(path(made)))
    assert api.read(f"{path(made)}/deliveries")["reached"] == items[0]["cursor"]
    api.post(f"{path(made)}/replay", {})
    assert api.read(f"{path(made)}/deliveries")["reached"] == api.read(feed)["oldest"]
    other = make_timeline(api)
    make_event(api, other)
    foreign = api.read(other.removesuffix("/events") + "/changes")["latest"]
    for after in (foreign, "nonsense", ""):
        refused = api.post(f"{path(made)}/replay", {"after": after})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/after")
    assert api.post(f"{path(made)}/replay", {"before": "x"}).status_code == 422
    assert api.send("POST", f"{path(made)}/replay", json={}, headers={"If-Match": '"9"'}).status_code == 412
