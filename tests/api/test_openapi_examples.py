"""The published examples are what the seeded timeline answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from service.api.examples import EXCHANGES
from service.api.exchange import Exchange
from service.api.representation_examples import SERVICE
from service.api.specimens import CREATED, EVENT, RECORDED
from service.store.record import purge_event
from tests.api.asking import CLOCK, MADE_HERE, Asked, comparable, done, untie, valid
from tests.api.published import EVENT_STREAM, OPERATIONS, check_answer, document, operation_of
from tests.client import Client, connected
from tests.conftest import fresh_database


def _purge(client: Client) -> None:
    async def purge() -> None:
        async with client.app.state.database.transaction() as connection:
            await purge_event(connection, EVENT["timeline"], UUID(EVENT["id"]))

    client.portal.call(purge)


# What is done before an example's request, where it finds the seeded timeline otherwise than it says.
BEFORE: dict[tuple[str, int], list[Callable[[Client], None]]] = {
    ("put_event", 201): [untie, _purge],
    ("delete_event", 204): [untie],
    ("put_link", 201): [lambda client: done(client, operation_of("delete_link"))],
}
# What can neither be made a second time in the seeded timeline nor be removed from it can in an empty store.
MADE_ANEW = {"create_timeline", "create_actor", "create_place", "create_source"}
REMOVED = {"delete_timeline", "delete_actor", "delete_place", "delete_source"}


def replay(client: Client, exchange: Exchange) -> httpx.Response:
    """Send an example's request, and hold its answer to the example."""
    asked = Asked(operation_of(exchange.operation), params=dict(exchange.query), headers=dict(exchange.headers))
    asked.give(exchange.body, exchange.media_type)
    answer = asked.send(client)
    assert answer.status_code == exchange.status, answer.text
    if exchange.answer is not None:
        told = answer.json()
        assert comparable(_excerpt(told, exchange)) == comparable(exchange.answer)
        for name in MADE_HERE:
            assert (name in exchange.answer) == (name in told)
        assert {exchange.answer[name] for name in CLOCK if name in exchange.answer} <= {CREATED, RECORDED}
    return answer


def _excerpt(told: dict[str, Any], exchange: Exchange) -> dict[str, Any]:
    """Of an answer that the document shows an excerpt of, take what it shows; a list that is not empty shows some."""
    if not exchange.is_excerpt:
        return told
    assert exchange.answer is not None
    lists = {name: shown for name, shown in exchange.answer.items() if isinstance(shown, list)}
    for name, shown in lists.items():
        assert bool(told[name]) == bool(shown)
    return told | {name: [one for one in told[name] if one in shown] for name, shown in lists.items()}


@pytest.mark.parametrize(
    "exchange",
    [one for one in EXCHANGES if one.operation not in MADE_ANEW | REMOVED],
    ids=lambda one: f"{one.operation}-{one.status}",
)
def test_an_example_is_what_the_seeded_timeline_answers(writing: Client, exchange: Exchange) -> None:
    for do in BEFORE.get((exchange.operation, exchange.status), ()):
        do(writing)
    writing.wait_for_feed()
    replay(writing, exchange)


def test_the_examples_make_the_directory_anew_and_remove_it(database_url: str) -> None:
    with connected(database_url, key=None) as empty:
        for exchange in EXCHANGES:
            if exchange.operation in MADE_ANEW:
                made = replay(empty, exchange)
                read = operation_of(exchange.operation.replace("create", "get"))
                assert made.headers["Location"] == read.filled()
                assert Asked(read).send(empty).json() == made.json()
        for exchange in EXCHANGES:
            if exchange.operation in REMOVED:
                replay(empty, exchange)


TEXTS = [(one, media_type) for one in EXCHANGES for media_type in one.texts if media_type != EVENT_STREAM]


@pytest.mark.parametrize(("exchange", "media_type"), TEXTS, ids=lambda one: getattr(one, "operation", one))
def test_the_example_of_a_text_is_what_is_sent(reading: Client, exchange: Exchange, media_type: str) -> None:
    reading.wait_for_feed()
    query = {name: value for name, value in exchange.query.items() if name != "count"}
    answer = Asked(operation_of(exchange.operation), params=query, headers={"Accept": media_type}).send(reading)
    shown = exchange.texts[media_type]
    published = _published(exchange, media_type)
    assert published == (shown if isinstance(published, str) else json.loads(shown))
    told = _untimed(_unfolded(answer.text).replace("http://localhost", SERVICE)).splitlines()
    shown = _unfolded(shown)
    if exchange.is_excerpt:
        told = [line for line in told if line in shown.splitlines()]
    assert told == _untimed(shown).splitlines()


def test_the_example_of_an_event_stream_is_what_is_sent(postgres: str, seeded_template: str) -> None:
    (exchange,) = (one for one in EXCHANGES if EVENT_STREAM in one.texts)
    operation = operation_of(exchange.operation)
    shown = _published(exchange, EVENT_STREAM)
    with (
        fresh_database(postgres, seeded_template) as url,
        connected(url, stream_heartbeat_seconds=0.1) as client,
    ):
        client.wait_for_feed()
        answer = client.listen(operation.filled(), shown.count("\n\n"), **exchange.query)
    check_answer(operation, answer)
    assert _untimed(answer.text) == _untimed(shown)


def _published(exchange: Exchange, media_type: str) -> Any:  # noqa: ANN401  # a text, or any JSON
    answer = operation_of(exchange.operation).described["responses"][str(exchange.status)]
    return answer["content"][media_type]["examples"]["seeded"]["value"]


def _unfolded(text: str) -> str:
    """Join a calendar's long lines: where one is folded depends on how long the service's address is."""
    return text.replace("\r\n ", "")


def _untimed(text: str) -> str:
    """Leave out what is each store's own; of a stream, also when to come back, which is chosen at random."""
    own = r'"(recorded_at|created_at|cursor)":"[^"]+"|^id: .+$|^retry: \d+$|2026-\d\d-\d\dT[\d:.]+Z|2026\d{4}T\d{6}Z'
    return re.sub(own, "", text, flags=re.MULTILINE)


def test_lists_link_to_the_next_page(reading: Client) -> None:
    lists = [one for one in OPERATIONS if any(each["name"] == "limit" for each in one.parameters("query"))]
    assert len(lists) == 14
    for operation in lists:
        asked = valid(operation)
        asked.params["limit"] = "1"
        answer = asked.send(reading)
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
