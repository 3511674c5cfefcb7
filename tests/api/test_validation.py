"""Entity tags of what has no version, and those who hold what is tagged already."""

from __future__ import annotations

import pytest

from service.api.etag import names
from tests.client import Client
from tests.factories import make_event, make_timeline

EVENTS = "/v1/timelines/syria-2013/events"
READ = [
    EVENTS,
    f"{EVENTS}?limit=3&count=exact&datetime=2013-02",
    "/v1/events?limit=5",
    "/v1/timelines",
    "/v1/actors",
    "/v1/timelines/syria-2013/histogram?by=month",
    "/v1/timelines/syria-2013/changes",
    "/openapi.json",
    "/docs",
    "/",
]


@pytest.mark.parametrize("path", READ)
def test_who_holds_it_is_not_sent_it_again(reading: Client, path: str) -> None:
    first = reading.send("GET", path)
    assert first.status_code == 200
    tag = first.headers["etag"]
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = reading.send("GET", path, headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        for name in ("cache-control", "vary"):
            assert again.headers[name] == first.headers[name]
        assert "content-type" not in again.headers
    head = reading.send("HEAD", path, headers={"If-None-Match": tag})
    assert (head.status_code, head.headers["etag"]) == (304, tag)


@pytest.mark.parametrize("held", ['"other"', "", "other", '"1"'])
def test_who_holds_another_is_sent_it(reading: Client, held: str) -> None:
    answer = reading.send("GET", EVENTS, headers={"If-None-Match": held})
    assert (answer.status_code, answer.json()["items"] != []) == (200, True)


def test_a_page_has_another_tag_once_it_has_changed(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events)
    tag = api.get(events).headers["etag"]
    assert api.get(events).headers["etag"] == tag
    make_event(api, events)
    changed = api.send("GET", events, headers={"If-None-Match": tag})
    assert (changed.status_code, len(changed.json()["items"])) == (200, 2)
    assert changed.headers["etag"] != tag


def test_what_is_compressed_is_known_by_its_own_tag(reading: Client) -> None:
    def ask(coding: str, **headers: str) -> tuple[int, str]:
        answer = reading.send("GET", EVENTS, headers={"Accept-Encoding": coding, **headers})
        return answer.status_code, answer.headers["etag"]

    _, plain = ask("identity")
    _, tag = ask("gzip")
    assert tag == f'{plain[:-1]}-gzip"'
    assert ask("gzip", **{"If-None-Match": tag}) == (304, tag)
    # it would not know what to do with that
    assert ask("identity", **{"If-None-Match": tag}) == (200, plain)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/none", "/v1/timelines/none"])
def test_what_nobody_may_keep_has_none(reading: Client, path: str) -> None:
    answer = reading.send("GET", path, headers={"If-None-Match": "*"})
    assert answer.status_code in (200, 404)
    assert "etag" not in answer.headers


def test_a_stream_has_none(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_timeline(api)
    for _ in range(2):
        make_event(api, events)
    monkeypatch.setattr("service.api.listing.MOST_EVENTS", 1)  # so that more follow
    assert "etag" not in api.send("GET", events, headers={"Accept": "application/x-ndjson"}).headers
    assert "etag" not in api.listen(events.replace("/events", "/changes"), 1).headers


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_line_feed_at_the_end_makes_another_path(reading: Client, method: str) -> None:
    for path in (f"{EVENTS}%0A", "/v1/timelines%0A", "/health/live%0A"):
        answer = reading.send(method, path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize(
    "path", [EVENTS, "/docs", "/v1/timelines/syria-2013/events/4def6a9b-b88d-5d37-8fc0-e2d2abbca673"]
)
def test_what_no_answer_was_ever_tagged_with_takes_no_time(reading: Client, path: str) -> None:
    for held in ('"a"' + " " * 60_000 + "x", '"' * 60_000, '"a" ' * 10_000):
        answer = reading.send("GET", path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "If-None-Match")


def test_a_list_of_tags_is_gone_through_once() -> None:
    # by steps that grow with the square of its length this would take minutes
    assert not names('"a"' + " " * 200_000 + "x", "b")
    assert names('"a"' + " " * 200_000 + ', W/"b"', "b")
