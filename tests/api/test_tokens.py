"""Tokens of an OpenID Connect issuer, in place of keys."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.client import Client, connected
from tests.factories import event_body, make_timeline, timeline_body
from tests.identity.serving import TokenIssuer, issuing
from tests.keys import bearer


@pytest.fixture(scope="module")
def served() -> Iterator[TokenIssuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def guest(module_database_url: str, served: TokenIssuer) -> Iterator[Client]:
    """Answer a client, without a key of itself, of a service that trusts the issuer."""
    with connected(module_database_url, key=None, oidc_issuer=served.url) as client:
        yield client


@pytest.fixture(scope="module")
def owner(module_database_url: str) -> Iterator[Client]:
    with connected(module_database_url) as client:
        yield client


def post(client: Client, path: str, body: object, token: str) -> httpx.Response:
    return client.send("POST", path, json=body, headers=bearer(token))


@pytest.mark.parametrize("scope", ["openid dateline:write", ["dateline:write"], "dateline:admin"], ids=str)
def test_a_token_with_the_scope_writes_and_is_named_in_histories(
    guest: Client, served: TokenIssuer, scope: object
) -> None:
    token = served.token(scope=scope, sub="user-7")
    body = timeline_body(visibility="private")
    made = post(guest, "/v1/timelines", body, token)
    assert made.status_code == 201, made.text
    event = post(guest, f"{made.headers['location']}/events", event_body(), token)
    assert event.status_code == 201
    history = guest.get(f"{event.headers['location']}/history", bearer(token)).json()["items"]
    assert [one["author"] for one in history] == ["oidc:user-7"]
    assert guest.get(made.headers["location"]).status_code == 404
    assert guest.get(made.headers["location"], bearer(served.token(scope="dateline:read"))).status_code == 200


@pytest.mark.parametrize(
    "scope", [None, "", "write", "admin openid", "dateline:root", 7, {"dateline:write": 1}], ids=str
)
def test_a_token_without_a_scope_of_ours_opens_what_is_open(guest: Client, served: TokenIssuer, scope: object) -> None:
    token = served.token(scope=scope)
    assert guest.get("/v1/timelines", bearer(token)).status_code == 200
    assert post(guest, "/v1/timelines", timeline_body(), token).status_code == 403
    assert guest.get("/v1/keys", bearer(token)).status_code == 403


def test_a_token_may_be_limited_to_timelines(guest: Client, owner: Client, served: TokenIssuer) -> None:
    ours = make_timeline(owner, visibility="private")
    others = make_timeline(owner, visibility="private")
    slug = ours.split("/")[3]
    token = served.token(scope="dateline:admin", dateline_timelines=[slug])
    assert post(guest, ours, event_body(), token).status_code == 201
    assert post(guest, others, event_body(), token).status_code == 404
    assert guest.get("/v1/keys", bearer(token)).status_code == 403, "the limited make no keys"
    none = served.token(scope="dateline:write", dateline_timelines=[])
    assert post(guest, ours, event_body(), none).status_code == 404


def test_only_scopes_that_the_reader_has_make_keys(guest: Client, served: TokenIssuer) -> None:
    made = post(guest, "/v1/keys", {"name": "x", "scopes": ["read"]}, served.token(scope="dateline:admin", sub="root"))
    assert made.json()["created_by"] == "oidc:root"


def test_a_bad_token_is_a_401_that_says_why(guest: Client, served: TokenIssuer) -> None:
    for token, why in [
        (served.token(exp=int(time.time()) - 120), "the token is refused: it has expired"),
        (served.token(aud="x"), "the token is refused: it is meant for another service"),
        ("hunter2", "the token is refused: it is no token"),
    ]:
        answer = guest.get("/v1/timelines", bearer(token))
        assert (answer.status_code, answer.json()["detail"]) == (401, why)
        assert token not in answer.text


def test_a_token_within_the_leeway_keeps_a_stream(module_database_url: str, owner: Client, served: TokenIssuer) -> None:
    changes = make_timeline(owner).removesuffix("events") + "changes"
    settings = {"oidc_issuer": served.url, "oidc_leeway_seconds": 60.0, "stream_heartbeat_seconds": 0.1}
    with connected(module_database_url, key=None, **settings) as client:  # type: ignore[arg-type]
        stream = client.listen(changes, 5, bearer(served.token(exp=int(time.time()) - 30)))
        assert stream.text.count(": here") >= 3, stream.text


def test_where_no_issuer_is_trusted_a_token_is_no_key(owner: Client, served: TokenIssuer) -> None:
    assert owner.get("/v1/timelines", bearer(served.token(scope="dateline:admin"))).status_code == 401


def test_while_the_issuer_is_away_its_tokens_cannot_be_judged(module_database_url: str) -> None:
    with issuing() as issuer:
        issuer.is_broken = True
        with connected(module_database_url, key=None, oidc_issuer=issuer.url) as client:
            answer = client.get("/v1/timelines", bearer(issuer.token()))
            assert answer.status_code == 503
            assert "retry-after" in answer.headers
            assert client.get("/v1/timelines").status_code == 200
