"""`dry_run=true` answers as it would, and writes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import sql

from service.api.examples import EXCHANGES
from service.api.exchange import Exchange
from service.tables import metadata
from tests.api.asking import Asked, comparable
from tests.api.published import OPERATIONS, operation_of
from tests.api.test_openapi_examples import BEFORE, MADE_ANEW, REMOVED
from tests.api.test_problems import is_problem
from tests.client import Client
from tests.factories import event_body, fresh_slug, make_event, make_path, make_timeline, path_of
from tests.keys import ADMIN, bearer

WRITES = [one for one in OPERATIONS if one.method != "get"]
EXAMPLES = [
    one for one in EXCHANGES if operation_of(one.operation).method != "get" and one.operation not in MADE_ANEW | REMOVED
]
# Made when it is asked for: by name, and as an identity in an answer or in `Location`.
OWN = {"id", "secret", "prefix", "key"}


def content(client: Client) -> dict[str, list[Any]]:
    """Read all that the database holds."""

    async def read() -> dict[str, list[Any]]:
        async with client.app.state.database.read() as connection:
            tables = {}
            for name in metadata.tables:
                query = sql.SQL("SELECT {0}::text FROM {0} ORDER BY 1").format(sql.Identifier(name))
                tables[name] = await (await connection.execute(query)).fetchall()
            return tables

    return client.portal.call(read)


def without_identities(document: object) -> object:
    if isinstance(document, list):
        return [without_identities(one) for one in document]
    if not isinstance(document, dict):
        return document
    return {name: without_identities(one) for name, one in document.items() if name not in OWN}


def test_every_write_may_be_tried_and_no_read() -> None:
    for operation in OPERATIONS:
        named = [one["name"] for one in operation.parameters("query")]
        assert ("dry_run" in named) == (operation in WRITES), operation.name


@pytest.mark.parametrize("exchange", EXAMPLES, ids=lambda one: f"{one.operation}-{one.status}")
def test_a_trial_is_answered_as_the_write_and_writes_nothing(
    writing: Client, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    changed = writing.app.state.database.changed
    monkeypatch.setattr(changed, "set", lambda: told.append("of a change"))
    for do in BEFORE.get((exchange.operation, exchange.status), ()):
        do(writing)
    asked = Asked(operation_of(exchange.operation), headers=dict(exchange.headers))
    asked.give(exchange.body, exchange.media_type)
    if asked.operation.method == "post":
        asked.headers["Idempotency-Key"] = "the same for both"
    writing.get("/v1/timelines", bearer(ADMIN))  # from now on it is noted that the key was used
    before = content(writing)
    told.clear()
    asked.params = {**exchange.query, "dry_run": "true"}
    tried = asked.send(writing)
    assert content(writing) == before
    assert not told, "nobody hears of what was not written"
    asked.params = dict(exchange.query)
    done = asked.send(writing)
    assert content(writing) != before or exchange.operation in ("put_link", "create_replay")
    assert tried.status_code == done.status_code == exchange.status
    assert tried.headers.get("etag") == done.headers.get("etag")
    assert ("location" in tried.headers) == ("location" in done.headers)
    if done.content:
        assert without_identities(comparable(tried.json())) == without_identities(comparable(done.json()))


def test_the_directory_may_be_tried(api: Client) -> None:
    slug = fresh_slug("tried")
    path = "/v1/timelines"
    for _ in range(2):
        tried = api.send("POST", path, json={"slug": slug, "title": "A story"}, params={"dry_run": True})
        assert (tried.status_code, tried.headers["etag"]) == (201, '"1"')
        assert api.get(tried.headers["location"]).status_code == 404
    assert api.post(path, {"slug": slug, "title": "A story"}).status_code == 201
    tried = api.send("POST", path, json={"slug": slug, "title": "A story"}, params={"dry_run": True})
    is_problem(tried, 409, "already-exists")
    tried = api.send("DELETE", f"{path}/{slug}", headers={"If-Match": '"1"'}, params={"dry_run": True})
    assert (tried.status_code, api.get(f"{path}/{slug}").status_code) == (204, 200)


def test_a_trial_is_refused_as_the_write_would_be(api: Client) -> None:
    events = make_timeline(api)
    event = make_event(api, events)
    tried: dict[str, Any] = {"params": {"dry_run": True}}
    stale = api.send("PATCH", path_of(event), json={"title": "New"}, headers={"If-Match": '"7"'}, **tried)
    assert is_problem(stale, 412, "version-conflict")["current"] == event
    is_problem(api.send("PATCH", path_of(event), json={"title": "New"}, **tried), 428, "version-required")
    is_problem(api.send("POST", events, json=event_body(when="2013-02-30"), **tried), 422, "invalid-body")
    is_problem(api.send("PUT", make_path("/v1/timelines/none/events"), json=event_body(), **tried), 404, "not-found")
    unknown = event_body(participants=[{"actor": "no-such-actor"}])
    is_problem(api.send("POST", events, json=unknown, **tried), 422, "invalid-body")
    assert api.walk(events) == [event]


@pytest.mark.parametrize("value", ["", "2", "perhaps", "null"])
def test_a_trial_is_asked_for_plainly(api: Client, value: str) -> None:
    events = make_timeline(api)
    answer = api.send("POST", events, json=event_body(), params={"dry_run": value})
    assert is_problem(answer, 400, "invalid-parameter")["errors"][0]["parameter"] == "dry_run"
    assert api.walk(events) == []


def test_who_asks_for_no_trial_writes(api: Client) -> None:
    events = make_timeline(api)
    assert api.send("POST", events, json=event_body(), params={"dry_run": "false"}).status_code == 201
    assert len(api.walk(events)) == 1
