"""No operation takes what it does not know, nor what its document does not: a typo must never return everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import ValidationError as JsonSchemaError

from service.api.problems import MOST_ERRORS
from tests.api.asking import valid
from tests.api.published import OPERATIONS, Operation, check, operation_of
from tests.client import Client

NOBODY = "00000000-0000-4000-8000-000000000000"
REAL = {"timeline": "x", "rel": "causes", "slug": "x", "key": "dl_0000000000"} | dict.fromkeys(
    ("event", "claim", "other", "webhook", "secret", "delivery"), NOBODY
)


def operations(client: Client) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every published operation: its method, a path of its form, what is published of it."""
    for template, published in client.read("/openapi.json")["paths"].items():
        for method, operation in published.items():
            yield method.upper(), template.format(**REAL), operation


def known(operation: dict[str, Any]) -> dict[str, bool]:
    """Name an operation's query parameters, and whether each may stand more than once."""
    return {
        one["name"]: one["schema"].get("type") == "array"
        for one in operation.get("parameters", [])
        if one["in"] == "query"
    }


def is_refused(client: Client, method: str, path: str, query: str, name: str) -> bool:
    answer = client.send(method, f"{path}?{query}")
    if answer.status_code != 400 or answer.json()["type"] != "/problems/invalid-parameter":
        return False
    return name in [error.get("parameter") for error in answer.json()["errors"]]


def test_there_is_something_to_walk(api: Client) -> None:
    assert len(list(operations(api))) >= 35


@pytest.mark.parametrize("name", ["unknown", "Limit", "limit ", "datetime[]", "knownat", "dryrun", "", "_", "a.b"])
def test_an_unknown_parameter_is_named_by_every_operation(api: Client, name: str) -> None:
    accepted = [
        f"{method} {path}"
        for method, path, _ in operations(api)
        if not is_refused(api, method, path, f"{name}=1".replace(" ", "%20"), name)
    ]
    assert accepted == []


def test_a_query_string_that_is_not_utf8_is_refused_by_every_operation(api: Client) -> None:
    accepted = [
        f"{method} {path}"
        for method, path, operation in operations(api)
        for name in known(operation)
        if not is_refused(api, method, path, f"{name}=%ff", name)
    ]
    assert accepted == []
    assert api.get("/v1/events?q=%EF%BF%BD").status_code == 200  # a character as any other


def test_a_compressed_body_is_refused_by_every_operation(api: Client) -> None:
    for operation in OPERATIONS:
        if "requestBody" in operation.described:
            asked = valid(operation)
            asked.headers["Content-Encoding"] = "gzip"
            answer = asked.send(api)
            assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
            assert answer.json()["detail"] == "send the body as it is, not compressed"


def test_a_body_that_says_that_it_is_as_it_is(api: Client) -> None:
    asked = valid(operation_of("create_timeline"))
    asked.headers["Content-Encoding"] = "Identity"
    assert asked.send(api).status_code in (201, 409)


def test_a_parameter_without_a_value_is_unknown_too(api: Client) -> None:
    accepted = [
        f"{method} {path}" for method, path, _ in operations(api) if not is_refused(api, method, path, "typo", "typo")
    ]
    assert accepted == []


def test_a_header_or_a_part_of_the_path_is_no_query_parameter(api: Client) -> None:
    for method, path, operation in operations(api):
        for one in operation.get("parameters", []):
            if one["in"] != "query":
                assert is_refused(api, method, path, f"{one['name']}=x", one["name"]), (method, path, one["name"])


def test_a_parameter_told_twice_is_refused_unless_it_may_be(api: Client) -> None:
    examples = {"limit": "1", "datetime": "2013", "overdue": "true", "edtf": "2013", "dry_run": "true"}
    repeatable = set()
    for method, path, operation in operations(api):
        for name, may_repeat in known(operation).items():
            value = examples.get(name, "planned")
            refused = is_refused(api, method, path, f"{name}={value}&{name}={value}", name)
            assert refused is not may_repeat, (method, path, name)
            if may_repeat:
                repeatable.add(name)
    assert repeatable == {"status", "kind", "actor", "place", "topic", "source"}


def test_several_wrong_ones_are_all_named(api: Client) -> None:
    answer = api.get("/v1/events", datetyme="2013", limt=1)
    assert {error["parameter"] for error in answer.json()["errors"]} == {"datetyme", "limt"}


def test_what_is_known_is_told(api: Client) -> None:
    detail = api.get("/v1/actors", nmae="x").json()["errors"][0]["detail"]
    for name in ("cursor", "limit", "name"):
        assert name in detail


NEEDED = [
    (operation, one["name"]) for operation in OPERATIONS for one in operation.parameters("query") if one["required"]
]


@pytest.mark.parametrize(("operation", "name"), NEEDED, ids=[f"{one.name}-{name}" for one, name in NEEDED])
def test_what_is_needed_and_left_out_is_named(api: Client, operation: Operation, name: str) -> None:
    asked = valid(operation)
    del asked.params[name]
    answer = asked.send(api)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter")
    assert answer.json()["errors"] == [{"parameter": name, "detail": "is missing"}]


@pytest.mark.parametrize("seconds", ["5", True, 5.5, None])
def test_seconds_are_whole_numbers_of_json(api: Client, seconds: object) -> None:
    made = api.post("/v1/keys", {"name": "rotated", "scopes": ["read"]}).json()
    answer = api.post(f"/v1/keys/{made['prefix']}/rotation", {"overlap_seconds": seconds})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/overlap_seconds")


def test_a_whole_number_may_have_a_fraction_of_zeros(api: Client) -> None:
    """As JSON Schema has it, and so what the published document says."""
    made = api.post("/v1/keys", {"name": "rotated", "scopes": ["read"]}).json()
    body = b'{"overlap_seconds": 5.0}'
    headers = {"Content-Type": "application/json"}
    assert api.send("POST", f"/v1/keys/{made['prefix']}/rotation", content=body, headers=headers).status_code == 201


REFUSED_BY_THE_DOCUMENT = [
    ("create_place", {"slug": "x", "name": "X", "latitude": 1}),
    ("create_place", {"slug": "x", "name": "X", "longitude": 1, "latitude": None}),
    ("create_key", {"name": "x", "scopes": ["read", "admin"], "timelines": ["x"]}),
    ("create_key", {"name": "x", "scopes": ["read"], "expires_at": "2126-13-01T00:00:00Z"}),
    ("amend_event", [{"op": "copy", "path": "/title"}]),
    ("amend_event", [{"op": "move", "path": "/title", "from": None}]),
    ("amend_event", [{"op": "test", "path": "/title"}]),
    ("create_webhook", {"url": "https://a.example/", "enabled": 0}),
    ("create_batch", {"operations": [{"operation": "delete", "event": NOBODY, "if_match": 0}]}),
]


@pytest.mark.parametrize(("name", "body"), REFUSED_BY_THE_DOCUMENT)
def test_what_the_service_refuses_the_document_does(api: Client, name: str, body: Any) -> None:  # noqa: ANN401  # JSON
    operation = operation_of(name)
    media_type = "application/json-patch+json" if isinstance(body, list) else "application/json"
    with pytest.raises(JsonSchemaError):
        check(body, operation.described["requestBody"]["content"][media_type]["schema"])
    asked = valid(operation)
    asked.headers["Content-Type"] = media_type
    asked.content, asked.json = json.dumps(body).encode(), None
    assert asked.send(api).status_code == 422


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("create_place", {"slug": "x", "name": "X", "latitude": 1, "longitude": 2}),
        ("create_place", {"slug": "x", "name": "X", "longitude": None}),
        ("create_key", {"name": "x", "scopes": ["admin"], "timelines": None}),
        ("create_key", {"name": "x", "scopes": ["read"], "timelines": ["x"]}),
        ("amend_event", [{"op": "remove", "path": "/title"}, {"op": "add", "path": "/title", "value": None}]),
    ],
)
def test_what_the_service_takes_the_document_does(name: str, body: object) -> None:
    (content,) = {
        str(media["schema"]): media["schema"]
        for media_type, media in operation_of(name).described["requestBody"]["content"].items()
        if (media_type == "application/json-patch+json") is isinstance(body, list)
    }.values()
    check(body, content)


def test_some_operations_need_a_parameter() -> None:
    assert {(operation.name, name) for operation, name in NEEDED} >= {
        ("compare_timeline", "from"),
        ("compare_timeline", "to"),
    }


def test_of_many_unknown_parameters_the_first_are_told(api: Client) -> None:
    """Each with those that are known: to a query of a few kilobytes all of them would be a hundred times as long."""
    answer = api.get("/v1/events?" + "&".join(f"x{i}=" for i in range(1_000)))
    told = answer.json()["errors"]
    assert [one["parameter"] for one in told] == [f"x{i}" for i in range(MOST_ERRORS)]
