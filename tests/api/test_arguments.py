"""Endpoints that are called without FastAPI's solver are called with the same, and refuse the same in its words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated, Any

import pytest
from fastapi import Cookie, Depends, Header, Query, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from fastapi.routing import APIRoute, iter_route_contexts

from service.api import strict
from service.api.arguments import plain_arguments
from service.app import create_app
from service.settings import Settings
from tests.client import Client, connected
from tests.factories import make_event, make_timeline

ODD = (
    "",
    "?limit=0",
    "?limit=201",
    "?limit=one",
    "?limit=",
    "?limit=2&limit=3",
    "?datetime=2013-13",
    "?datetime=",
    "?datetime=2013-02&relation=inside",
    "?relation=within",
    "?status=planned&status=done",
    "?status=",
    "?kind=a&kind=B",
    "?kind=meeting&kind=visit&status=planned",
    f"?{'&'.join(['topic=x'] * 51)}",
    "?overdue=maybe&disputed=1&count=most",
    "?q=%00",
    "?q=a&sort=relevance",
    "?sort=relevance",
    "?known_at=2013-02-3X",
    "?known_at=yesterday",
    "?known_at=",
    "?known_at=2013-02-15",
    "?cursor=x",
    "?cursor=",
    "?format=xml",
    "?format=ndjson",
    "?nothing=1",
    "?%ff=%fe",
)
TAGS = (None, '"1"', 'W/"1"', "*", '"2"', "nonsense", '"' + "1" * 1001 + '"')


@pytest.fixture
def twins(module_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Client, Client]]:
    """Answer the service as it is, and the same with FastAPI's own solver."""
    asked: list[object] = []

    def left_to_fastapi(dependant: Dependant, _: Mapping[str, bool]) -> None:
        asked.append(dependant.call)

    with connected(module_database_url) as plain:
        # what answers a route is made when the route is first looked at, by FastAPI and by the short way
        list(iter_route_contexts(plain.app.routes))
        plain.read("/v1/events")
        monkeypatch.setattr(strict, "plain_arguments", left_to_fastapi)
        with connected(module_database_url) as solved:
            asked.clear()
            plain.read("/v1/events")
            assert not asked
            solved.read("/v1/events")
            assert asked
            yield plain, solved


def said(client: Client, path: str, headers: dict[str, str] | None = None) -> tuple[Any, ...]:
    """Ask, and give what was answered but for the request's name."""
    answer = client.send("GET", path, headers=headers)
    body = answer.text
    named = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    if answer.status_code >= 400:
        problem = answer.json()
        del problem["request_id"], named["content-length"]
        body = str(problem)
    return answer.status_code, named, body


def test_the_answers_are_those_of_fastapi(twins: tuple[Client, Client]) -> None:
    plain, solved = twins
    events = make_timeline(plain)
    event = make_event(plain, events)
    item = f"{events}/{event['id']}"
    paths = [f"{base}{asked}" for base in (events, "/v1/events", item, f"{item}/history") for asked in ODD]
    paths += ["/v1/timelines/Not-a-slug/events", f"/v1/timelines/{'x' * 81}/events?limit=0", f"{events}/not-a-uuid"]
    paths += [f"{item}/claims/1", "/v1/dates", "/v1/dates?edtf=2013-13", "/v1/actors?limit=0&q="]
    paths += [f"{events.removesuffix('/events')}/diff{asked}" for asked in ("", "?from=2013", "?to=2013", "?from=x")]
    statuses = set()
    for path in paths:
        assert said(plain, path) == said(solved, path)
        statuses.add(said(plain, path)[0])
    for tag in TAGS:
        headers = {} if tag is None else {"If-None-Match": tag}
        assert said(plain, item, headers) == said(solved, item, headers)
        statuses.add(said(plain, item, headers)[0])
    for key in ("Bearer wrong", "Basic wrong", "Bearer", ""):
        assert said(plain, events, {"Authorization": key}) == said(solved, events, {"Authorization": key})
    assert statuses == {200, 304, 400, 404}


def test_no_router_asks_for_more_than_its_operations_do() -> None:
    """What a router or its inclusion would add is known to FastAPI's solver alone."""
    plain = 0
    for context in iter_route_contexts(create_app(Settings()).routes):
        route = context.original_route
        if isinstance(route, APIRoute) and plain_arguments(route.dependant, {}) is not None:
            plain += 1
            assert context.dependencies == route.dependencies == []
    assert plain > 20


async def opened() -> AsyncIterator[int]:
    """Give what is to be closed afterwards."""
    yield 1


def test_what_only_fastapi_can_give_is_left_to_it() -> None:
    async def answers_with_a_model() -> dict[str, str]:
        return {}

    def runs_in_a_thread() -> Response:
        return Response()

    async def asks_for_a_cookie(crumb: Annotated[str, Cookie()]) -> Response:
        return Response(crumb)

    async def asks_for_a_body(body: dict[str, str]) -> Response:
        return Response(str(body))

    async def asks_for_what_ends_after_it(one: Annotated[int, Depends(opened)]) -> Response:
        return Response(str(one))

    async def asks_for_several(kind: Annotated[list[str], Query()]) -> Response:
        return Response(str(kind))

    async def asks_for_a_header_several_times(x_tag: Annotated[list[str] | None, Header()] = None) -> Response:
        return Response(str(x_tag))

    for endpoint in (
        asks_for_several,
        asks_for_a_header_several_times,
        answers_with_a_model,
        runs_in_a_thread,
        asks_for_a_cookie,
        asks_for_a_body,
        asks_for_what_ends_after_it,
    ):
        assert plain_arguments(get_dependant(path="/", call=endpoint), {}) is None
