"""What nobody sends in good faith: refused, and never our fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from tests.client import Client
from tests.factories import (
    actor_body,
    event_body,
    make_actor,
    make_event,
    make_place,
    make_source,
    make_timeline,
    path_of,
    place_body,
    source_body,
    timeline_body,
)

JSON = {"Content-Type": "application/json"}
INSIDES = ("Traceback", "psycopg", "SELECT ", "INSERT ", "UPDATE ", "sqlalchemy", ".py", "pg_", "constraint")


# The least that stands around a text, by the member that it is within.
LEAST_WITHIN: dict[str, dict[str, Any]] = {
    "participants": {"actor": "x"},
    "claims": {"source": "x"},
    "place": {"place": "x"},
    "operations": {"operation": "create", "body": event_body()},
    "body": event_body(),
}


def every_text(
    schema: dict[str, Any], document: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Find each member of a body that may be a text, as the published schema says; `0` is an item of a list."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for choice in (*schema.get("anyOf", ()), *schema.get("allOf", ()), *schema.get("oneOf", ())):
        yield from every_text(choice, document, path)
    if schema.get("type") == "string":
        yield path
    for name, member in schema.get("properties", {}).items():
        yield from every_text(member, document, (*path, name))
    if "items" in schema:
        yield from every_text(schema["items"], document, (*path, "0"))


def with_text(path: tuple[str, ...], text: object, least: dict[str, Any]) -> Any:  # noqa: ANN401  # any JSON value
    """Make a body that is as small as can be but for one text."""
    if not path:
        return text
    if path[0] == "0":
        return [with_text(path[1:], text, least)]
    inner = LEAST_WITHIN.get(path[0], {})
    return least | {path[0]: with_text(path[1:], text, inner)}


def writes(client: Client) -> list[tuple[str, str, dict[str, Any]]]:
    """List every operation with a body: its method, a real path, the least body that it takes."""
    events = make_timeline(client)
    event = path_of(make_event(client, events))
    hooks = events.replace("/events", "/webhooks")
    hook = client.post(hooks, {"url": "https://receiver.example/"}).headers["location"]
    key = client.post("/v1/keys", {"name": "a client", "scopes": ["read"]}).headers["location"]
    return [
        ("POST", events, event_body()),
        ("POST", f"{events}:batch", {"operations": [{"operation": "create", "body": event_body()}]}),
        ("PUT", event, event_body()),
        ("PATCH", event, {}),
        ("POST", f"{event}/claims", {"source": make_source(client)}),
        ("POST", "/v1/timelines", timeline_body()),
        ("PATCH", events.removesuffix("/events"), {}),
        ("POST", "/v1/actors", actor_body()),
        ("PATCH", f"/v1/actors/{make_actor(client)}", {}),
        ("POST", "/v1/places", place_body()),
        ("PATCH", f"/v1/places/{make_place(client)}", {}),
        ("POST", "/v1/sources", source_body()),
        ("PATCH", f"/v1/sources/{make_source(client)}", {}),
        ("POST", hooks, {"url": "https://receiver.example/"}),
        ("PATCH", hook, {}),
        ("POST", f"{hook}/secrets", {}),
        ("POST", f"{hook}/replay", {}),
        ("POST", "/v1/keys", {"name": "a client", "scopes": ["read"]}),
        ("POST", f"{key}/rotation", {}),
    ]


def operation_at(document: dict[str, Any], method: str, path: str) -> tuple[str, str]:
    """Find the published operation with a body that a path leads to: its method and its template."""
    parts = path.split("/")
    for template, operations in document["paths"].items():
        names = template.split("/")
        fits = len(names) == len(parts) and all(
            name.startswith("{") or name == part for name, part in zip(names, parts, strict=True)
        )
        if fits and "requestBody" in operations.get(method.lower(), {}):
            return method, template
    raise AssertionError(f"{method} {path} is not published")


def template_of(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Find the published schema of a request's body."""
    _, template = operation_at(document, method, path)
    content = document["paths"][template][method.lower()]["requestBody"]["content"]
    schema: dict[str, Any] = next(iter(content.values()))["schema"]
    return schema


def test_every_operation_with_a_body_is_attacked_here(api: Client) -> None:
    document = api.read("/openapi.json")
    published = {
        (method.upper(), template)
        for template, operations in document["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    }
    # whose lines are attacked where lines are read: tests/api/test_import.py
    published.remove(("POST", "/v1/timelines/{timeline}/import"))
    assert {operation_at(document, method, path) for method, path, _ in writes(api)} == published


def refused(client: Client, method: str, path: str, content: bytes) -> int:
    """Send a body, and see that it is refused without a word about our insides."""
    answer = client.send(method, path, content=content, headers=JSON | {"If-Match": "*"})
    assert 400 <= answer.status_code < 500, (method, path, content[:200], answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json"
    assert [word for word in INSIDES if word in answer.text] == []
    return answer.status_code


@pytest.mark.parametrize("text", ["\x00", "a\x00b"])
def test_a_nul_is_refused_in_every_text(api: Client, text: str) -> None:
    document = api.read("/openapi.json")
    tried = 0
    for method, path, least in writes(api):
        for member in set(every_text(template_of(document, method, path), document)):
            body = with_text(member, text, least)
            assert refused(api, method, path, json.dumps(body).encode()) == 422
            tried += 1
    assert tried > 70


@pytest.mark.parametrize("text", ["\\ud800", "a\\udfffb", "\\udc00\\ud800"])
def test_a_lone_surrogate_is_refused_in_every_text_and_name(api: Client, text: str) -> None:
    document = api.read("/openapi.json")
    for method, path, least in writes(api):
        for member in set(every_text(template_of(document, method, path), document)):
            body = json.dumps(with_text(member, "@", least)).replace('"@"', f'"{text}"')
            assert refused(api, method, path, body.encode()) == 422
        named = json.dumps(least | {"@": 1}).replace('"@"', f'"{text}"')
        assert refused(api, method, path, named.encode()) == 422


DEEP = 10_000
HOSTILE = {
    "nested arrays": b"[" * DEEP + b"]" * DEEP,
    "nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "arrays that never end": b"[" * DEEP,
    "nested in a member": b'{"title":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "nested below the limit": b'{"title":' + b"[" * 900 + b"]" * 900 + b"}",
    "nested and unknown": b'{"x":' + b"[" * 900 + b"]" * 900 + b"}",
    "a number of 5,000 digits": b'{"latitude":' + b"9" * 5000 + b"}",
    "a number of 4,000 digits": b'{"latitude":' + b"9" * 4000 + b"}",
    "5,000 digits alone": b"9" * 5000,
    "an exponent": b'{"latitude":1e99999,"longitude":0}',
    "not a number": b'{"latitude":NaN,"longitude":NaN}',
    "infinity": b'{"latitude":Infinity,"longitude":-Infinity}',
    "not a number in a text": b'{"title":NaN,"name":NaN,"slug":NaN,"source":NaN}',
    "a year of 400 digits": b'{"title":"x","status":"planned","when":"Y' + b"9" * 400 + b'"}',
    "a set without end": b'{"title":"x","status":"planned","when":"{' + b"2013," * 40 + b'"}',
    "a byte order mark": b'\xef\xbb\xbf{"titel":1}',
    "overlong utf-8": b'{"title":"\xc0\x80"}',
    "many members": json.dumps({f"m{i}": i for i in range(50_000)}).encode(),
    "many items": json.dumps({"topics": ["x"] * 100_000, "aliases": ["x"] * 100_000}).encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_refused_everywhere(api: Client, name: str) -> None:
    for method, path, _ in writes(api):
        refused(api, method, path, HOSTILE[name])


@pytest.mark.parametrize("value", [None, True, 5, -1.5, [], {}, [[]], {"a": {}}, "", " ", "x" * 30_000])
def test_a_value_of_another_type_is_no_fault_of_ours(api: Client, value: object) -> None:
    document = api.read("/openapi.json")
    for method, path, least in writes(api):
        for member in sorted(set(every_text(template_of(document, method, path), document))):
            body = with_text(member, value, least)
            answer = api.send(method, path, content=json.dumps(body).encode(), headers=JSON | {"If-Match": "*"})
            assert answer.status_code < 500, (method, path, body, answer.text[:300])
            assert [word for word in INSIDES if word in answer.text] == []


@pytest.mark.parametrize(
    "query",
    [
        *(b"q=\xff\xfe", b"q=%ff%fe", b"q=\xc3\xa9", b"\xff=1", b"%00=1", b"q=%", b"&&&", b"=", b"q", b"q=a&q=b"),
        *(b"q=%ED%A0%80", b"datetime=%ff", b"cursor=%ff", b"limit=%D9%A3", b"kind=" + b"%F0%9F%98%80" * 100),
        *(b"kind=a&" * 2000, b"limit=1&" * 100, b"q=" + b"a" * 50_000, b"limit=1;cursor=2", b"?" * 100),
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/actors", "/v1/dates", "/v1/nothing", "/health/live"])
def test_an_odd_query_string_is_no_fault_of_ours(api: Client, path: str, query: bytes) -> None:
    """Sent as the bytes that they are, which no client library would."""
    sent: list[dict[str, Any]] = []

    async def ask() -> None:
        async def receive() -> dict[str, Any]:
            await anyio.lowlevel.checkpoint()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401  # ASGI's message
            await anyio.lowlevel.checkpoint()
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query,
            "headers": [(b"host", b"localhost")],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        await api.app(scope, receive, send)

    api.portal.call(ask)
    assert sent[0]["status"] < 500, b"".join(message.get("body", b"") for message in sent)[:500]


@pytest.mark.parametrize(
    "name", ["Authorization", "If-Match", "If-None-Match", "Accept", "Content-Type", "X-Request-Id", "Host"]
)
@pytest.mark.parametrize(
    "value",
    [b"", b" ", b",", b'"', b"\xff\xfe", b"*, *", b"a" * 5000, b'"' * 900, b"W/" * 400, b";q=" * 300, b"Bearer", b"["],
)
def test_an_odd_header_is_no_fault_of_ours(api: Client, name: str, value: bytes) -> None:
    events = make_timeline(api)
    event = path_of(make_event(api, events))
    for method, path in (("GET", event), ("GET", events), ("PATCH", event), ("DELETE", event), ("GET", "/v1/nothing")):
        answer = api.send(method, path, headers={name.encode(): value})
        assert answer.status_code < 500, (method, path, answer.text[:300])
