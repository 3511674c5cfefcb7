"""What every answer tells a browser to refrain from, and which pages from elsewhere may ask."""

from __future__ import annotations

import pytest

from service.settings import Settings
from tests.client import Client, connected

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
ORIGIN = "https://a.example"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/problems"),
        ("GET", "/problems/not-found"),
        ("GET", "/static/docs.js"),
        ("GET", "/docs-assets/swagger-ui.css"),
        ("GET", "/openapi.json"),
        ("GET", "/metrics"),
        ("GET", "/health/live"),
        ("GET", "/v1/timelines"),
        ("HEAD", "/v1/timelines"),
        ("GET", "/v1/timelines?misspelt=1"),
        ("GET", "/none"),
        ("OPTIONS", "/v1/timelines"),
        ("PUT", "/v1/timelines"),
    ],
)
def test_every_answer_has_them_once(reading: Client, method: str, path: str) -> None:
    answer = reading.send(method, path)
    for name, value in EVERYWHERE.items():
        assert answer.headers.get_list(name) == [value]
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    if not answer.headers.get("content-type", "").startswith("text/html"):
        assert "script-src" not in policy
    assert "strict-transport-security" not in answer.headers


def test_a_fault_of_ours_has_them_too(reading: Client) -> None:
    state = reading.app.state
    database, state.database = state.database, object()
    try:
        answer = reading.get("/v1/timelines")
    finally:
        state.database = database
    assert answer.status_code == 500
    for name, value in EVERYWHERE.items():
        assert answer.headers.get_list(name) == [value]


def test_tls_alone_is_asked_for_only_where_it_is_in_front(database_url: str) -> None:
    with connected(database_url, hsts_seconds=31536000) as client:
        assert client.get("/health/live").headers["strict-transport-security"] == "max-age=31536000"


def test_no_page_from_elsewhere_may_ask_by_itself(reading: Client) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    for answer in (reading.get("/v1/timelines", asked), reading.send("OPTIONS", "/v1/timelines", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.status_code == 405


def test_pages_of_named_origins_may(database_url: str) -> None:
    with connected(database_url, cors_origins=f"{ORIGIN}, http://b.example:8080") as client:
        answer = client.get("/v1/timelines", {"Origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "origin" in answer.headers["vary"].lower()
        assert "access-control-allow-credentials" not in answer.headers
        read = set(answer.headers["access-control-expose-headers"].split(", "))
        assert {"ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"} <= read
        assert "Idempotency-Replayed" in read
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        preflight = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, if-match, idempotency-key, content-type",
        }
        answer = client.send("OPTIONS", "/v1/timelines/x", headers=preflight)
        assert answer.status_code == 200
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        for other in ("https://c.example", "https://a.example.evil.example", "null"):
            answer = client.get("/v1/timelines", {"Origin": other})
            assert "access-control-allow-origin" not in answer.headers
            assert client.send("OPTIONS", "/v1/timelines", headers=preflight | {"Origin": other}).status_code == 400


def test_an_error_may_be_read_from_elsewhere_too(database_url: str) -> None:
    with connected(database_url, cors_origins="*") as client:
        assert client.get("/none", {"Origin": ORIGIN}).headers["access-control-allow-origin"] == "*"
        client.app.state.database = object()
        answer = client.get("/v1/timelines", {"Origin": ORIGIN})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (500, "*")


@pytest.mark.parametrize("origin", ["a.example", "https://a.example/", "https://a.example/x", "ftp://a", "https://A b"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Settings.model_validate({"cors_origins": origin})
