"""The audit trail: every write is in it, with the key and the address, and nothing that was not written."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from service.purging import purge
from service.wire.key_text import new_key
from tests.api.asking import valid
from tests.api.published import OPERATIONS
from tests.client import Client, connected
from tests.conftest import fresh_database
from tests.factories import event_body, make_event, make_timeline, path_of, tag_of, timeline_body
from tests.keys import ADMIN, bearer, insert_key

WRITER = new_key()


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    insert_key(module_database_url, WRITER, ["write"])
    with connected(module_database_url) as client:
        yield client


def test_a_write_is_told_with_who_where_and_what(client: Client) -> None:
    headers = bearer(WRITER) | {"X-Request-Id": "my-request"}
    made = client.send("POST", "/v1/timelines", json=timeline_body(), headers=headers)
    (entry, *_) = client.read("/v1/audit", caller=WRITER[:13])["items"]
    assert {name: entry[name] for name in entry if name not in ("id", "recorded_at")} == {
        "caller": WRITER[:13],
        "address": "127.0.0.1",
        "request_id": "my-request",
        "operation": "create_timeline",
        "path": "/v1/timelines",
        "status": 201,
        "location": made.headers["location"],
    }


def test_what_wrote_nothing_is_not_in_it(client: Client) -> None:
    events = make_timeline(client)
    event = make_event(client, events)
    newest = client.read("/v1/audit", limit=1)["items"]
    assert newest[0]["operation"] == "create_event"
    assert client.get(path_of(event)).status_code == 200
    assert client.post(events, {"title": "no date"}).status_code == 422
    assert client.patch(path_of(event), {"title": "x"}, '"9"').status_code == 412
    assert client.send("POST", events, json=event_body(), headers=bearer(new_key())).status_code == 401
    assert client.send("POST", f"{events}?dry_run=true", json=event_body()).status_code == 201
    assert client.read("/v1/audit", limit=1)["items"] == newest
    moved = client.patch(path_of(event), {"when": "2014"}, tag_of(event))
    assert moved.status_code == 200
    assert client.read("/v1/audit", limit=1)["items"][0]["operation"] == "amend_event"


def test_a_repeated_request_wrote_once(client: Client) -> None:
    events, key = make_timeline(client), {"Idempotency-Key": "once"}
    for _ in range(3):
        assert client.post(events, event_body(), key).status_code == 201
    told = client.walk("/v1/audit", limit=3)
    assert [one["path"] for one in told].count(events) == 1


def test_it_is_read_page_by_page_the_newest_first(client: Client) -> None:
    for _ in range(5):
        make_timeline(client)
    whole = client.read("/v1/audit", limit=200)["items"]
    assert [one["id"] for one in whole] == sorted((one["id"] for one in whole), reverse=True)
    assert client.walk("/v1/audit", limit=2) == whole
    mine = client.walk("/v1/audit", limit=2, caller=ADMIN[:13])
    assert mine == [one for one in whole if one["caller"] == ADMIN[:13]]


def test_it_is_for_administrators(client: Client) -> None:
    assert client.get("/v1/audit", bearer(WRITER)).status_code == 403


def test_every_operation_that_writes_is_told(seeded_template: str, postgres: str) -> None:
    """Each of them, as the document's example does it, or at least one that shares all but the path with it."""
    with fresh_database(postgres, seeded_template) as url, connected(url, key=None) as client:
        for operation in OPERATIONS:
            if operation.method == "get":
                continue
            before = count(client)
            answer = valid(operation).send(client)
            assert count(client) - before == (answer.status_code < 300), f"{operation.name}: {answer.status_code}"


def count(client: Client) -> int:
    answer = client.get("/v1/audit", bearer(ADMIN), limit=200)
    assert answer.status_code == 200
    return len(answer.json()["items"])


def test_a_purge_on_the_command_line_is_told(client: Client, module_database_url: str) -> None:
    event = make_event(client, make_timeline(client))
    purge(module_database_url, event["timeline"], UUID(event["id"]))
    (entry, *_) = client.read("/v1/audit", caller="operator")["items"]
    assert (entry["operation"], entry["path"], entry["address"]) == ("purge_event", path_of(event), None)
