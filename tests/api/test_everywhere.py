"""Events of all timelines at once, for those who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import Client, connected
from tests.factories import make_event, make_path, make_timeline
from tests.keys import ADMIN, bearer


@pytest.fixture(scope="module")
def clients(module_database_url: str) -> Iterator[tuple[Client, Client]]:
    """Answer one who sees everything and one who sees what is public, of three timelines of six events each."""
    with (
        connected(module_database_url) as owner,
        connected(module_database_url, key=None) as guest,
    ):
        # the same dates everywhere, and at times the same identities
        paths = [make_timeline(owner), make_timeline(owner), make_timeline(owner, visibility="private")]
        for day in range(3):
            for events in paths:
                make_event(owner, events, title="talks", when=f"2013-02-0{day + 1}", kind="own")
            shared = make_path("").rsplit("/", 1)[1]
            for events in paths:
                body = {"title": "talks", "when": f"2013-02-0{day + 1}", "status": "planned", "kind": "shared"}
                assert owner.put(f"{events}/{shared}", body).status_code == 201
        yield owner, guest


SORTS: list[dict[str, Any]] = [
    {"sort": "date"},
    {"sort": "-date"},
    {"sort": "-recorded"},
    {"sort": "relevance", "q": "talks"},
    {"sort": "date", "kind": ["own", "shared"]},
    {"sort": "-date", "kind": "shared", "datetime": "2013-02-01/2013-02-02"},
    {"sort": "date", "datetime": "2013-02-02/.."},
]


@pytest.mark.parametrize("asked", SORTS, ids=str)
def test_the_order_is_total(clients: tuple[Client, Client], asked: dict[str, Any]) -> None:
    owner, _ = clients
    whole = [(event["timeline"], event["id"]) for event in owner.read("/v1/events", limit=200, **asked)["items"]]
    assert len(set(whole)) == len(whole) >= 6
    for limit in (1, 2, 5):
        walked = owner.walk("/v1/events", limit=limit, **asked)
        assert [(event["timeline"], event["id"]) for event in walked] == whole
    assert owner.read("/v1/events", count="exact", **asked)["count"] == len(whole)
    lines = owner.get("/v1/events", format="ndjson", **asked).text.splitlines()
    assert len(lines) == len(whole)


def test_backwards_is_the_exact_reverse(clients: tuple[Client, Client]) -> None:
    owner, _ = clients
    forwards = owner.read("/v1/events", limit=200)["items"]
    assert owner.read("/v1/events", limit=200, sort="-date")["items"] == forwards[::-1]


@pytest.mark.parametrize("asked", SORTS, ids=str)
def test_what_is_private_is_hidden_from_everything(clients: tuple[Client, Client], asked: dict[str, Any]) -> None:
    owner, guest = clients
    private = next(one["slug"] for one in owner.read("/v1/timelines")["items"] if one["visibility"] == "private")
    everything = owner.read("/v1/events", limit=200, **asked)["items"]
    public = [event for event in everything if event["timeline"] != private]
    assert 0 < len(public) < len(everything)
    seen = guest.read("/v1/events", limit=200, count="exact", **asked)
    assert (seen["items"], seen["count"]) == (public, len(public))
    assert guest.read("/v1/events", count="estimated", **asked)["count"] == len(public)
    assert guest.walk("/v1/events", limit=1, **asked) == public
    assert len(guest.get("/v1/events", format="ndjson", **asked).text.splitlines()) == len(public)
    key = bearer(ADMIN)
    with_key = guest.send("GET", "/v1/events", params={"limit": 200, **asked}, headers=key)
    assert with_key.json()["items"] == everything


def test_a_cursor_opens_nothing_that_its_holder_may_not_see(clients: tuple[Client, Client]) -> None:
    owner, guest = clients
    page = owner.read("/v1/events", limit=4)
    rest = guest.read("/v1/events", limit=200, cursor=page["next"])["items"]
    timelines = {event["timeline"] for event in guest.read("/v1/events", limit=200)["items"]}
    assert {event["timeline"] for event in rest} <= timelines
