"""Each request as the log and the figures tell it."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from fastapi import FastAPI

from tests.client import Client, connected
from tests.factories import make_event, make_timeline
from tests.keys import ADMIN, bearer
from tests.logged import Log, logged

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    """Log as a service does, from before the application is made."""
    with logged() as log:
        yield log


@pytest.fixture(scope="module")
def api(log: Log, module_database_url: str) -> Iterator[Client]:  # noqa: ARG001  # it must be there first
    """Answer a client of an application of these tests alone."""
    with connected(module_database_url) as client:
        yield client


def only(log: Log) -> dict[str, Any]:
    (line,) = log.lines("dateline.access")
    return line


def value(figures: str, name: str, **labels: str) -> float:
    """Read a figure; 0 where it has not been counted yet."""
    written = ",".join(f'{label}="{text}"' for label, text in sorted(labels.items()))
    found = re.search(rf"^{re.escape(f'{name}{{{written}}}' if written else name)} (\S+)$", figures, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture(autouse=True)
def afresh(log: Log) -> None:
    log.clear()


def test_a_request_is_one_line(api: Client, log: Log) -> None:
    events = make_timeline(api)
    log.clear()
    answer = api.send("GET", events, params={"q": "hunter2"}, headers={"X-Request-Id": "mine"})
    line = only(log)
    assert line["method"] == "GET"
    assert line["route"] == "/v1/timelines/{timeline}/events"
    assert line["path"] == events
    assert line["status"] == 200
    assert line["bytes"] == len(answer.content)
    assert line["client"] == "127.0.0.1"
    assert 0 < line["duration_ms"] < 60_000
    assert "hunter2" not in repr(line)


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/v1/timelines/none-such", "/v1/timelines/{slug}", 404),
        ("HEAD", "/v1/timelines/none-such", "/v1/timelines/{slug}", 404),
        ("DELETE", "/v1/dates", "/v1/dates", 405),
        ("GET", "/static/style.css", "/static/{path}", 200),
        ("GET", "/openapi.json", "/openapi.json", 200),
        ("GET", "/none/such", None, 404),
        ("GET", "/v1/dates?edtf=hunter2", "/v1/dates", 422),
        ("GET", "/%0Aforged%20line", None, 404),
    ],
)
def test_the_route_is_a_template(api: Client, log: Log, method: str, path: str, route: str | None, status: int) -> None:
    api.send(method, path)
    line = only(log)
    assert (line["method"], line["route"], line["path"]) == (method, route, path.partition("?")[0])
    assert line["status"] in (status, 400)


def test_a_fault_of_ours_is_logged_once_with_its_place(api: Client, monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    events = make_timeline(api)

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("insides")

    monkeypatch.setattr("service.api.listing.read_joined_page", fail)
    log.clear()
    before = api.get("/metrics").text
    log.clear()
    answer = api.get(events)
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert only(log)["status"] == 500
    (fault,) = [line for line in log.lines() if line["level"] == "error"]
    assert fault["request_id"] == answer.headers["x-request-id"]
    assert fault["trace_id"] == only(log)["trace_id"]
    assert fault["exception"][0]["frames"][-1]["name"] == "fail"
    labels = {"method": "GET", "route": "/v1/timelines/{timeline}/events", "status": "5xx"}
    after = api.get("/metrics").text
    assert value(after, "dateline_http_requests_total", **labels) == 1 + value(
        before, "dateline_http_requests_total", **labels
    )


def test_a_client_that_leaves_while_it_sends_is_no_fault_of_ours(api: Client, log: Log) -> None:
    events = make_timeline(api)
    before = api.get("/metrics").text
    log.clear()
    api.portal.call(leave_while_sending, api.app, events)
    assert {line["level"] for line in log.lines()} == {"info"}
    assert only(log)["status"] == 400
    (left,) = log.lines("dateline.problems")
    assert left["request_id"] == only(log)["request_id"]
    after = api.get("/metrics").text
    for status, more in (("4xx", 1), ("5xx", 0)):
        labels = {"method": "POST", "route": "/v1/timelines/{timeline}/events", "status": status}
        name = "dateline_http_requests_total"
        assert value(after, name, **labels) == value(before, name, **labels) + more


async def leave_while_sending(app: FastAPI, path: str) -> None:
    """Send a part of a body, and leave."""
    headers = {"content-type": "application/json", "content-length": "1000", **bearer(ADMIN)}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
    }
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"title"', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(_: MutableMapping[str, Any]) -> None:
        """Take nothing."""

    await app(scope, receive, send)


# Traces


@pytest.mark.parametrize("version", ["00", "01"])
def test_a_trace_goes_on(api: Client, log: Log, version: str) -> None:
    more = "" if version == "00" else "-what-a-later-version-adds"
    api.send("GET", "/health/live", headers={"traceparent": f"{version}-{TRACE}-{PARENT}-01{more}"})
    line = only(log)
    assert (line["trace_id"], line["parent_id"]) == (TRACE, PARENT)
    assert re.fullmatch("[0-9a-f]{16}", line["span_id"])
    assert line["span_id"] != PARENT


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01{' ' * 9000}x",
    ],
)
def test_a_malformed_one_is_as_if_not_there(api: Client, log: Log, given: str) -> None:
    api.send("GET", "/health/live", headers={"traceparent": given})
    line = only(log)
    assert "parent_id" not in line
    assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])
    assert line["trace_id"] not in (TRACE, "0" * 32)


# Figures


def test_requests_are_counted_by_template_and_status(api: Client) -> None:
    events = make_timeline(api)
    before = api.get("/metrics").text
    made = make_event(api, events)
    for _ in range(3):
        api.get(f"{events}/{made['id']}")
    api.get(f"{events}/none")
    api.send("HEAD", f"{events}/{made['id']}")
    after = api.get("/metrics").text
    route = "/v1/timelines/{timeline}/events/{event}"

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("dateline_http_requests_total", method="GET", route=route, status="2xx") == 3
    assert more("dateline_http_requests_total", method="GET", route=route, status="4xx") == 1
    assert more("dateline_http_requests_total", method="HEAD", route=route, status="2xx") == 1
    assert more("dateline_http_request_duration_seconds_count", method="GET", route=route) == 4
    assert more("dateline_http_request_duration_seconds_bucket", method="GET", route=route, le="+Inf") == 4
    assert value(after, "dateline_http_requests_in_flight") == 1, "the one that reads this"
    assert made["id"] not in after


def test_nobody_makes_figures_by_inventing_methods_and_paths(api: Client) -> None:
    api.get("/metrics")
    before = len(api.get("/metrics").text.splitlines())
    for n in range(5):
        api.send(f"M{n}", f"/invented/{n}")
        api.send("GET", f"/v1/timelines/invented-{n}")
        api.send(f"M{n}", f"/static/{n}.css")
    api.get("/metrics")
    assert len(api.get("/metrics").text.splitlines()) < before + 80
    figures = api.get("/metrics").text
    assert "invented" not in figures
    assert "M1" not in figures
    assert value(figures, "dateline_http_requests_total", method="other", route="other", status="4xx") >= 5


def test_a_stream_is_counted_and_not_timed(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events)
    changes = events.replace("events", "changes")
    route = "/v1/timelines/{timeline}/changes"
    before = api.get("/metrics").text
    assert api.listen(changes, 1).status_code == 200
    after = api.get("/metrics").text
    labels = {"method": "GET", "route": route}
    assert value(after, "dateline_http_requests_total", **labels, status="2xx") == 1 + value(
        before, "dateline_http_requests_total", **labels, status="2xx"
    )
    timed = "dateline_http_request_duration_seconds_count"
    assert value(after, timed, **labels) == value(before, timed, **labels)


def test_the_pool_is_told(api: Client) -> None:
    figures = api.get("/metrics").text
    idle, busy = (value(figures, "dateline_pool_connections", state=state) for state in ("idle", "busy"))
    assert 1 <= idle + busy <= 8
    assert "\ndateline_pool_waiting_requests 0.0\n" in figures
    assert value(figures, "dateline_database_up") == 1
