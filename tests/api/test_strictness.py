"""No operation takes a query parameter that it does not know: a typo must never return everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.asking import valid
from tests.api.published import OPERATIONS, Operation
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


def test_some_operations_need_a_parameter() -> None:
    assert {(operation.name, name) for operation, name in NEEDED} >= {
        ("compare_timeline", "from"),
        ("compare_timeline", "to"),
    }
