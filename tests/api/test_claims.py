"""Claims: who says so."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.client import Client
from tests.factories import event_body, make_event, make_source, make_timeline, path_of


def test_a_claim_is_added_read_and_taken_back(api: Client) -> None:
    event = make_event(api, make_timeline(api), reported_at="2013-02-20T00:00:00Z")
    claims = f"{path_of(event)}/claims"
    source = make_source(api, title="Morning paper")
    body = {
        "source": source,
        "attributed_to": "a diplomat",
        "quote": "They will meet.",
        "asserts": {"status": "cancelled", "when": "2013-03~"},
        "reported_at": "2013-02-19T09:00:00+01:00",
    }
    made = api.post(claims, body)
    claim = made.json()
    assert made.status_code == 201
    assert made.headers["location"] == f"{claims}/{claim['id']}"
    assert made.headers["etag"] == '"2"'
    assert UUID(claim["id"]).version == 7
    assert claim == body | {"id": claim["id"], "title": "Morning paper", "reported_at": "2013-02-19T08:00:00Z"}
    assert api.read(made.headers["location"]) == claim
    assert api.read(claims) == {"items": [claim]}

    after = api.read(path_of(event))
    assert after == event | {"claims": [claim], "version": 2, "recorded_at": after["recorded_at"]}

    gone = api.delete(made.headers["location"])
    assert (gone.status_code, gone.headers["etag"]) == (204, '"3"')
    assert api.get(made.headers["location"]).status_code == 404
    assert api.delete(made.headers["location"]).status_code == 404
    assert api.read(path_of(event))["claims"] == []


def test_claims_keep_the_order_in_which_they_were_made(api: Client) -> None:
    event, source = make_event(api, make_timeline(api)), make_source(api)
    made = [api.post(f"{path_of(event)}/claims", {"source": source, "quote": str(i)}).json() for i in range(3)]
    assert api.read(f"{path_of(event)}/claims")["items"] == made
    api.delete(f"{path_of(event)}/claims/{made[1]['id']}")
    assert api.read(f"{path_of(event)}/claims")["items"] == [made[0], made[2]]


def test_a_claim_asserts_and_no_more(api: Client) -> None:
    event, source = make_event(api, make_timeline(api), status_reason="as agreed"), make_source(api)
    api.post(f"{path_of(event)}/claims", {"source": source, "asserts": {"status": "cancelled", "when": "2014"}})
    after = api.read(path_of(event))
    for name in ("status", "status_reason", "when", "bounds", "previously", "reported_at"):
        assert after[name] == event[name], name


def test_a_version_may_be_expected(api: Client) -> None:
    event, source = make_event(api, make_timeline(api)), make_source(api)
    claims = f"{path_of(event)}/claims"
    assert api.post(claims, {"source": source}, headers={"If-Match": '"7"'}).status_code == 412
    made = api.post(claims, {"source": source}, headers={"If-Match": '"1"'})
    assert made.status_code == 201
    stale = api.delete(made.headers["location"], '"1"')
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    assert stale.json()["current"]["claims"] == [made.json()]
    assert api.delete(made.headers["location"], '"2"').status_code == 204


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"source": "no-such-source"}, "/source"),
        ({"source": None}, "/source"),
        ({"id": str(uuid4())}, "/id"),
        ({"asserts": {"status": "done"}}, "/asserts/status"),
        ({"asserts": {"when": "2013-02-30"}}, "/asserts/when"),
        ({"asserts": {"who": "x"}}, "/asserts/who"),
        ({"reported_at": "yesterday"}, "/reported_at"),
    ],
)
def test_what_is_wrong_is_named(api: Client, members: dict[str, object], pointer: str) -> None:
    event = make_event(api, make_timeline(api))
    answer = api.post(f"{path_of(event)}/claims", {"source": make_source(api), **members})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert api.read(path_of(event)) == event


def test_an_event_has_room_for_so_many(api: Client) -> None:
    source = make_source(api)
    event = make_event(api, make_timeline(api), claims=[{"source": source}] * 200)
    answer = api.post(f"{path_of(event)}/claims", {"source": source})
    assert answer.status_code == 422
    assert "200" in answer.json()["detail"]
    assert api.patch(path_of(event), {"title": "New"}, '"1"').status_code == 200
    assert api.post(make_timeline(api), event_body(claims=[{"source": source}] * 201)).status_code == 422


def test_nothing_is_claimed_of_what_is_not_there(api: Client) -> None:
    events = make_timeline(api)
    event, source = make_event(api, events), make_source(api)
    nowhere = f"{events}/{uuid4()}/claims"
    assert api.get(nowhere).status_code == 404
    assert api.post(nowhere, {"source": source}).status_code == 404
    assert api.delete(f"{nowhere}/{uuid4()}").status_code == 404
    assert api.get(f"{path_of(event)}/claims/{uuid4()}").status_code == 404
    assert api.get(f"{path_of(event)}/claims/none").status_code == 404
