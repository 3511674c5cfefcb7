"""The published examples are what the seeded timeline answers."""

from __future__ import annotations

import re

import httpx
import pytest

from service.api.examples import EXCHANGES
from service.api.exchange import Exchange
from service.api.specimens import EVENT, RECORDED
from tests.api.asking import KEY, MADE_HERE, Asked, comparable
from tests.api.published import NDJSON, OPERATIONS, document, operation_of
from tests.client import Client, connected

# What is done before an example's request, where it finds the seeded timeline otherwise than it says: each is an
# operation with what differs from its example.
_UNTIE = ("delete_link", {"event": "5933ea9e-9bbc-52f2-b55a-2197b577fe48", "rel": "prevents", "other": EVENT["id"]})
BEFORE: dict[tuple[str, int], list[tuple[str, dict[str, str]]]] = {
    ("put_event", 201): [_UNTIE, ("delete_event", {})],
    ("delete_event", 204): [_UNTIE],
    ("put_link", 201): [("delete_link", {})],
}
# What can neither be made a second time in the seeded timeline nor be removed from it can in an empty store.
MADE_ANEW = {"create_timeline", "create_actor", "create_place", "create_source"}
REMOVED = {"delete_timeline", "delete_actor", "delete_place", "delete_source"}


def replay(client: Client, exchange: Exchange) -> httpx.Response:
    """Send an example's request, and hold its answer to the example."""
    asked = Asked(operation_of(exchange.operation), json=exchange.body)
    asked.params, asked.headers = dict(exchange.query), dict(exchange.headers)
    answer = asked.send(client)
    assert answer.status_code == exchange.status, answer.text
    if exchange.answer is not None:
        told = answer.json()
        assert comparable(told) == comparable(exchange.answer)
        for name in MADE_HERE:
            assert (name in exchange.answer) == (name in told)
            assert exchange.answer.get(name, RECORDED) == RECORDED
    return answer


@pytest.mark.parametrize(
    "exchange",
    [one for one in EXCHANGES if one.operation not in MADE_ANEW | REMOVED],
    ids=lambda one: f"{one.operation}-{one.status}",
)
def test_an_example_is_what_the_seeded_timeline_answers(writing: Client, exchange: Exchange) -> None:
    for name, others in BEFORE.get((exchange.operation, exchange.status), ()):
        operation = operation_of(name)
        done = Asked(operation, operation.filled(**others), headers={"If-Match": "*"}).send(writing)
        assert done.status_code == 204
    replay(writing, exchange)


def test_the_examples_make_the_directory_anew_and_remove_it(database_url: str) -> None:
    with connected(database_url, write_key=KEY) as empty:
        for exchange in EXCHANGES:
            if exchange.operation in MADE_ANEW:
                made = replay(empty, exchange)
                read = operation_of(exchange.operation.replace("create", "get"))
                assert made.headers["Location"] == read.filled()
                assert Asked(read).send(empty).json() == made.json()
        for exchange in EXCHANGES:
            if exchange.operation in REMOVED:
                replay(empty, exchange)


def test_the_example_of_ndjson_is_what_is_sent(reading: Client) -> None:
    shown = 0
    for exchange in EXCHANGES:
        operation = operation_of(exchange.operation)
        content = operation.described["responses"][str(exchange.status)].get("content", {})
        if NDJSON in content:
            query = {name: value for name, value in exchange.query.items() if name != "count"}
            answer = Asked(operation, params=query, headers={"Accept": NDJSON}).send(reading)
            assert _untimed(answer.text) == _untimed(content[NDJSON]["examples"]["seeded"]["value"])
            shown += 1
    assert shown == 2


def _untimed(text: str) -> str:
    return re.sub(r'"(recorded|created)_at":"[^"]+"', "", text)


def test_lists_link_to_the_next_page(reading: Client) -> None:
    lists = [one for one in OPERATIONS if any(each["name"] == "limit" for each in one.parameters("query"))]
    assert len(lists) == 6
    for operation in lists:
        answer = Asked(operation, params={"limit": "1"}).send(reading)
        assert ("Link" in answer.headers) == (answer.json()["next"] is not None), operation.name


def test_a_change_is_taken_as_either_media_type(writing: Client) -> None:
    for operation in OPERATIONS:
        for media_type, examples in operation.bodies().items():
            if operation.method == "patch":
                headers = {"If-Match": "*", "Content-Type": media_type}
                answer = Asked(operation, headers=headers, json=examples[0]).send(writing)
                assert answer.status_code == 200, f"{operation.name} as {media_type}: {answer.text}"


def test_an_instant_before_year_1_is_as_published(writing: Client) -> None:
    operation = operation_of("create_event")
    body = {"title": "The Ides of March", "when": "-0043-03-15", "status": "occurred"}
    made = Asked(operation, json=body | {"reported_at": "-0043-03-16T06:00:00+00:49"}).send(writing)
    assert made.json()["reported_at"] == "-0043-03-16T05:11:00Z"
    assert made.json()["bounds"]["start"]["earliest"] == "-0043-03-15T00:00:00Z"


def test_the_document_is_served(reading: Client) -> None:
    assert reading.get("/openapi.json").json() == document()
