"""If-Match and If-None-Match (RFC 9110, section 13): no change is lost, nothing is sent twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from service.store.query import timeline_id_of
from tests.client import Client
from tests.factories import event_body, make_actor, make_event, make_path, make_timeline, path_of

WRITES = ("PUT", "PATCH", "DELETE")


def write(client: Client, method: str, path: str, if_match: str | None, title: str = "New") -> httpx.Response:
    if method == "DELETE":
        return client.delete(path, if_match)
    if method == "PATCH":
        return client.patch(path, {"title": title}, if_match)
    return client.put(path, event_body(title=title), if_match)


@pytest.mark.parametrize("method", WRITES)
def test_what_exists_is_not_written_blindly(api: Client, method: str) -> None:
    event = make_event(api, make_timeline(api))
    answer = write(api, method, path_of(event), None)
    assert (answer.status_code, answer.json()["type"]) == (428, "/problems/version-required")
    assert api.read(path_of(event)) == event


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "stale", ['"1"', '"3"', '"1", "3"', 'W/"2"', "2", "garbage", '""', "", '"02"', '"99999999999999999999"']
)
def test_another_version_is_refused_with_the_present_one(api: Client, method: str, stale: str) -> None:
    event = make_event(api, make_timeline(api))
    present = api.patch(path_of(event), {"title": "Second"}, '"1"').json()
    answer = write(api, method, path_of(event), stale)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (412, "/problems/version-conflict")
    assert answer.headers["etag"] == '"2"'
    assert problem["current"] == present
    assert api.read(path_of(event)) == present


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("fresh", ['"2"', "*", ' "2" ', '"1", "2"', '"1","2","3"', 'W/"2", "2"', '"x,y", "2"'])
def test_the_present_version_is_accepted(api: Client, method: str, fresh: str) -> None:
    event = make_event(api, make_timeline(api))
    api.patch(path_of(event), {"title": "Second"}, '"1"')
    assert write(api, method, path_of(event), fresh).status_code in (200, 204)


@pytest.mark.parametrize("expected", ["*", '"1"'])
def test_what_is_not_there_has_no_version(api: Client, expected: str) -> None:
    path = make_path(make_timeline(api))
    answer = api.put(path, event_body(), if_match=expected)
    assert answer.status_code == 412
    assert "etag" not in answer.headers
    assert api.get(path).status_code == 404


def test_if_none_match_makes_put_create_only(api: Client) -> None:
    path = make_path(make_timeline(api))
    create_only = {"If-None-Match": "*"}
    made = api.put(path, event_body(), **create_only)
    assert made.status_code == 201
    again = api.put(path, event_body(title="Other"), **create_only)
    assert (again.status_code, again.json()["current"]) == (412, made.json())
    both = api.put(path, event_body(title="Other"), if_match='"1"', **create_only)
    assert both.status_code == 412
    assert api.read(path) == made.json()


def test_put_knows_no_other_if_none_match(api: Client) -> None:
    answer = api.put(make_path(make_timeline(api)), event_body(), **{"If-None-Match": '"1"'})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "If-None-Match")


@pytest.mark.parametrize("held", ['"2"', 'W/"2"', '"1", "2"', '"2", "7"', 'W/"9" , W/"2"', "*"])
def test_who_holds_the_present_version_is_told_so(api: Client, held: str) -> None:
    event = make_event(api, make_timeline(api))
    api.patch(path_of(event), {"title": "Second"}, "*")
    answer = api.send("GET", path_of(event), headers={"If-None-Match": held})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"2"')


@pytest.mark.parametrize(
    "held", ['"1"', '"3"', "2", '"two"', "", '"4294967297"', '"9999999999"', '"' + "9" * 900 + '"']
)
def test_who_holds_another_gets_the_event(api: Client, held: str) -> None:
    event = make_event(api, make_timeline(api))
    present = api.patch(path_of(event), {"title": "Second"}, "*")
    answer = api.send("GET", path_of(event), headers={"If-None-Match": held})
    assert (answer.status_code, answer.content) == (200, present.content)


def at_once(calls: int, call: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """Make calls that begin together, each given its number."""
    gate = threading.Barrier(calls)

    def wait_and_call(number: int) -> httpx.Response:
        gate.wait()
        return call(number)

    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(wait_and_call, range(calls)))


def test_of_twenty_writers_of_one_version_one_wins(api: Client) -> None:
    event = make_event(api, make_timeline(api))
    answers = at_once(20, lambda i: write(api, WRITES[i % 2], path_of(event), '"1"', title=f"by {i}"))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [412] * 19
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert api.read(path_of(event)) == winner
    assert winner["version"] == 2
    assert all(answer.json()["current"] == winner for answer in answers if answer.status_code == 412)


def test_of_twenty_writers_who_retry_none_is_lost(api: Client) -> None:
    event = make_event(api, make_timeline(api), topics=[])

    def add_topic(number: int) -> httpx.Response:
        while True:
            present = api.get(path_of(event))
            topics = [*present.json()["topics"], f"topic-{number}"]
            answer = api.patch(path_of(event), {"topics": topics}, present.headers["etag"])
            if answer.status_code != 412:
                return answer

    answers = at_once(20, add_topic)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["version"] for answer in answers} == set(range(2, 22))
    after = api.read(path_of(event))
    assert sorted(after["topics"]) == sorted(f"topic-{i}" for i in range(20))


def test_of_twenty_creators_of_one_identity_one_wins(api: Client) -> None:
    for headers, refusal in (({"If-None-Match": "*"}, 412), ({}, 428)):
        path = make_path(make_timeline(api))

        def create(number: int, path: str = path, headers: dict[str, str] = headers) -> httpx.Response:
            return api.put(path, event_body(title=f"by {number}"), **headers)

        answers = at_once(20, create)
        assert sorted(answer.status_code for answer in answers) == [201] + [refusal] * 19
        winner = next(answer.json() for answer in answers if answer.status_code == 201)
        assert api.read(path) == winner


def test_two_events_can_be_linked_to_each_other_at_once(api: Client) -> None:
    events = make_timeline(api)
    for _ in range(5):
        one, other = make_event(api, events), make_event(api, events)
        links = [f"{path_of(a)}/links/follows/{b['id']}" for a, b in ((one, other), (other, one))]

        def tie(number: int, links: list[str] = links) -> httpx.Response:
            return api.put(links[number % 2], None)

        answers = at_once(8, tie)
        assert sorted(answer.status_code for answer in answers) == [200] * 6 + [201] * 2


def test_a_state_is_recorded_after_the_one_that_it_follows(api: Client, direct: psycopg.Connection) -> None:
    """A writer who had to wait for another is recorded when it wrote, not when it began to wait."""
    event = make_event(api, make_timeline(api))
    with ThreadPoolExecutor(1) as pool:
        with direct.transaction():
            identity = f"{timeline_id_of(event['timeline'])}/{event['id']}"
            direct.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [identity])
            waiting = pool.submit(api.patch, path_of(event), {"title": "New"}, "*")
            while not direct.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                pass
            now = direct.execute("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")
            released = str(now.fetchall()[0][0])
        assert waiting.result().json()["recorded_at"] > released


def test_a_clock_that_was_set_back_stops_nobody(api: Client, direct: psycopg.Connection) -> None:
    event = make_event(api, make_timeline(api))
    direct.execute("UPDATE event_state SET recorded_at = '2999-01-01Z' WHERE event_id = %s", [event["id"]])
    answer = api.patch(path_of(event), {"title": "New"}, "*")
    assert (answer.status_code, answer.json()["recorded_at"]) == (200, "2999-01-01T00:00:00Z")


def test_entries_of_the_directory_are_guarded_the_same_way(api: Client) -> None:
    path = f"/v1/actors/{make_actor(api)}"
    assert api.patch(path, {"name": "New"}).status_code == 428
    assert api.delete(path).status_code == 428
    stale = api.patch(path, {"name": "New"}, '"7"')
    assert (stale.status_code, stale.headers["etag"]) == (412, '"1"')
    assert stale.json()["current"] == api.read(path)
    answers = at_once(20, lambda i: api.patch(path, {"name": f"Name {i}"}, '"1"'))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    assert api.send("GET", path, headers={"If-None-Match": '"2"'}).status_code == 304
    assert api.send("GET", path, headers={"If-None-Match": "*"}).status_code == 304
    assert api.send("GET", path, headers={"If-None-Match": '"1"'}).status_code == 200
