"""The published document as a test reads it: operations, and what the document allows an answer to be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from service.api.known import read_clock
from service.api.openapi import operations
from service.app import create_app
from service.dates import parse, parse_instant, parse_window
from service.settings import Settings

PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"
TEXT = "text/plain"
_ADDRESS = "urn:published"

FORMATS = FormatChecker()


@FORMATS.checks("edtf", raises=ValueError)
def _is_edtf(text: object) -> bool:
    return not isinstance(text, str) or bool(parse(text))


@FORMATS.checks("edtf-window", raises=ValueError)
def _is_window(text: object) -> bool:
    return not isinstance(text, str) or bool(parse_window(text))


@FORMATS.checks("edtf-clock", raises=ValueError)
def _is_clock(text: object) -> bool:
    return not isinstance(text, str) or read_clock(text) is not None


@FORMATS.checks("date-time", raises=ValueError)
def _is_rfc_3339(text: object) -> bool:
    """Hold it to the four digits of a year that RFC 3339 has."""
    if not isinstance(text, str):
        return True
    parse_instant(text)
    return text[:4].isdigit() and text[4] == "-"


@cache
def document() -> dict[str, Any]:
    """Give the document as it is sent, out of JSON."""
    published: dict[str, Any] = json.loads(json.dumps(create_app(Settings()).openapi()))
    return published


@dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    path: str
    method: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.described["operationId"])

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.described["responses"]}

    def filled(self, **others: str) -> str:
        """Fill the path with its own examples, or with others."""
        values = {one["name"]: one["example"] for one in self.parameters("path")}
        return self.path.format(**values | others)

    def parameters(self, *places: str) -> list[dict[str, Any]]:
        return [one for one in self.described.get("parameters", ()) if one["in"] in places]

    def bodies(self) -> dict[str, Any]:
        """Give the examples of its request body, by media type."""
        content = self.described.get("requestBody", {}).get("content", {})
        return {name: [one["value"] for one in media["examples"].values()] for name, media in content.items()}


def _all_operations() -> list[Operation]:
    return [Operation(*one) for one in operations(document())]


OPERATIONS = _all_operations()
EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=[one.name for one in OPERATIONS])


def operation_of(name: str) -> Operation:
    return next(one for one in OPERATIONS if one.name == name)


@cache
def _registry() -> Registry[Any]:
    closed: Resource[Any] = DRAFT202012.create_resource(_closed(document()))
    registry: Registry[Any] = Registry().with_resource(_ADDRESS, closed)
    return registry


def _closed(part: Any) -> Any:  # noqa: ANN401  # any part of a document
    """Let objects have no member but those published: an answer may not say what the document does not."""
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {name: _closed(one) for name, one in part.items()}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def check(value: object, schema: dict[str, Any]) -> None:
    """Hold a value to a schema of the document, nothing unpublished in it."""
    absolute = json.loads(json.dumps(_closed(schema)).replace('"#/', f'"{_ADDRESS}#/'))
    Draft202012Validator(absolute, registry=_registry(), format_checker=FORMATS).validate(value)


def check_answer(operation: Operation, answer: httpx.Response) -> None:
    """Hold an answer to the document: its status, its headers, its media type, its body."""
    where = f"{operation.name}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code in operation.statuses, f"undocumented: {where}"
    published = operation.described["responses"][str(answer.status_code)]
    for name, header in published["headers"].items():
        described = document()["components"]["headers"][header["$ref"].rpartition("/")[2]]
        if name in answer.headers:
            check(answer.headers[name], described["schema"])
        else:
            may_lack = {200: {"Link"}, 409: {"Retry-After"}, 412: {"ETag"}}.get(answer.status_code, set())
            # what is sent as it is made is not known before
            is_sent_as_made = answer.status_code == 200 and answer.headers["content-type"] != "application/json"
            may_lack |= {"ETag"} if is_sent_as_made else set()
            # where no limit applies, an answer does not tell of any
            may_lack |= {"RateLimit", "RateLimit-Policy"} if answer.status_code != 429 else set()
            assert name in may_lack | {"Idempotency-Replayed", "Dateline-Position"}, f"no {name}: {where}"
    ours = {
        "dateline-position",
        "etag",
        "location",
        "link",
        "retry-after",
        "vary",
        "www-authenticate",
        "idempotency-replayed",
    }
    unpublished = ours & set(answer.headers) - {name.lower() for name in published["headers"]}
    assert not unpublished, f"{unpublished}: {where}"
    content = published.get("content")
    if content is None:
        assert not answer.content, where
        assert "content-type" not in answer.headers, where
        return
    media_type = answer.headers["content-type"].partition("; charset=")[0]
    assert media_type in content, f"{media_type}: {where}"
    if media_type == NDJSON:
        for line in answer.text.splitlines():
            check(json.loads(line), {"$ref": "#/components/schemas/Event"})
    else:
        body = answer.json() if media_type.endswith("json") else answer.text
        check(body, content[media_type]["schema"])
