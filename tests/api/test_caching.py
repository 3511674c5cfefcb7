"""What caches are told: what they may keep, and what an answer depends on."""

from __future__ import annotations

import pytest

from tests.client import Client, connected
from tests.factories import make_event, make_timeline, path_of
from tests.keys import ADMIN, bearer

ANYONE, ONE, NOBODY = "public, no-cache", "private, no-cache", "no-store"


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/v1/timelines", ANYONE),
        ("HEAD", "/v1/timelines", ANYONE),
        ("GET", "/v1/timelines/syria-2013/events?limit=2", ANYONE),
        ("GET", "/v1/timelines/none-such", NOBODY),
        ("GET", "/v1/timelines?misspelt=1", NOBODY),
        ("POST", "/v1/timelines", NOBODY),
        ("GET", "/health/live", NOBODY),
        ("GET", "/metrics", NOBODY),
        ("GET", "/", ANYONE),
        ("GET", "/static/style.css", ANYONE),
        ("GET", "/openapi.json", ANYONE),
        ("GET", "/none", NOBODY),
    ],
)
def test_an_answer_says_who_may_keep_it(reading: Client, method: str, path: str, told: str) -> None:
    assert reading.send(method, path).headers.get_list("cache-control") == [told]


def test_what_a_key_opens_is_for_its_holder(api: Client) -> None:
    path = path_of(make_event(api, make_timeline(api, visibility="private")))
    answer = api.get(path)
    assert answer.headers["cache-control"] == ONE
    assert api.get(path, {"If-None-Match": answer.headers["etag"]}).headers["cache-control"] == ONE


def test_a_page_of_what_a_key_opens_is_for_its_holder(api: Client) -> None:
    event = make_event(api, make_timeline(api, visibility="private"))
    page = api.get("/", timeline=event["timeline"])
    assert event["title"] in page.text
    assert page.headers["cache-control"] == ONE
    assert "Authorization" in page.headers["vary"]


def test_where_reading_needs_a_key_nothing_is_for_all(database_url: str) -> None:
    with connected(database_url, read="key", key=None) as client:
        assert client.get("/", bearer(ADMIN)).headers["cache-control"] == ONE
        assert client.get("/v1/timelines").headers["cache-control"] == NOBODY
        assert client.get("/v1/timelines", bearer(ADMIN)).headers["cache-control"] == ONE


def test_an_answer_says_what_it_depends_on(reading: Client) -> None:
    events = "/v1/timelines/syria-2013/events"
    assert reading.get(events).headers["vary"] == "Accept, Accept-Encoding, Authorization"
    assert reading.get("/v1/timelines").headers["vary"] == "Accept-Encoding, Authorization"
    assert reading.get("/static/style.css").headers["vary"] == "Accept-Encoding"


def test_one_that_tells_itself_is_left_alone(api: Client) -> None:
    events = make_timeline(api)
    make_event(api, events)
    changes = f"{events.removesuffix('/events')}/changes"
    assert api.listen(changes, 1).headers.get_list("cache-control") == [NOBODY]
