"""The published document: what FastAPI derives, completed by what our answers obey and by examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from service.api import answers
from service.api.caching import WATCHED
from service.api.etag import HELD, HELD_HEADER, MOST_TAGS_CHARACTERS, VERSION_HEADER
from service.api.examples import EXCHANGES, SLUGS
from service.api.exchange import Exchange
from service.api.freshness import POSITION, POSITION_HEADER, POSITION_PARAMETER, takes_position
from service.api.problems import MEDIA_TYPE
from service.api.refusals import refusals
from service.api.representation_examples import is_structured
from service.api.schemas import CHOICES, completed, name_operations
from service.api.specimens import Json
from service.api.strict import JSON_PATCH, MERGE_PATCHES, PAGE
from service.api.writing import KEY_HEADER, REPLAYED_HEADER
from service.settings import Settings
from service.wire.amendment import MOST_STEPS, PatchStep
from service.wire.problem import Problem

_TAGS = [
    {"name": "Timelines", "description": "Stories being followed."},
    {"name": "Events", "description": "Dated events, found by what is certain and what is possible of them."},
    {"name": "Claims", "description": "Who says so."},
    {"name": "Links", "description": "How events of a timeline are tied to each other."},
    {"name": "History", "description": "What was known when, what it became, and how plans moved."},
    {"name": "Changes", "description": "The feed that misses nothing: every write, in commit order, resumable."},
    {"name": "Webhooks", "description": "The same changes, sent to you: signed, tried again, and replayed."},
    {"name": "Directory", "description": "Actors, places and sources, shared by all timelines."},
    {"name": "Keys", "description": "Who may read, write and administer."},
    {"name": "Dates", "description": "EDTF expressions, explained."},
    {"name": "Health", "description": "Whether the service lives and can do its work, and how it does."},
]
_DESCRIPTION = """\
An event-timeline service that keeps every date as precisely as it is known, and no more precisely.

**Dates.** An event's `when` is an EDTF expression (ISO 8601-2:2019 Annex A, levels 0 to 2; `format: edtf` here). It \
becomes four instants: the event starts somewhere between `bounds.start.earliest` and `bounds.start.latest` and ends \
somewhere between `bounds.end.earliest` and `bounds.end.latest`. A query for a window of time answers with what is \
*possible*, or with what is *certain*.

A window of time (`format: edtf-window`) is such an expression, or `a/b` with `..` for an open end. Where one of the \
two clocks is asked for (`format: edtf-clock`), that is a time, or the end of a day, month or year.

**Instants** are written as in RFC 3339, in UTC. Those that an event's date decides, and those that a client gives, \
may lie in a year before 0 or after 9999, which is then signed as in ISO 8601 (`-0043-03-15T00:00:00Z`): these are \
published with a pattern, and only the store's own clock as `format: date-time`.

**What was known when.** Every state of an event is kept, with the time from which the world knew it (`reported_at`, \
yours to say) and the time at which this store learned it (`recorded_at`). With `known_at`, lists, items and claims \
are as they were known then. What is deleted leaves its history and a tombstone: a 410, until a PUT brings it back.

**Errors** are problem details (RFC 9457); each `type` is a path of this service that explains it. An unknown query \
parameter or member is refused by its name. A path that is none is a 404, a method that is not for its path a 405.

**Limits.** A query string has at most {query_bytes:,} bytes (414). A body has at most {body_bytes:,} bytes (413), \
arrays and objects within each other {json_depth} deep, and {array_items:,} items in one array (422). A request is a \
503 with `Retry-After` while too many wait for their answers, or when its own has not begun after \
{request_timeout_seconds:g} s.

**Versions.** What can be changed has a strong `ETag`. Send it as `If-Match` when you change it, and as \
`If-None-Match` when you read it again. All else that is read under `/v1` has one of its content, for `If-None-Match` \
alone. Wherever `GET` is, `HEAD` is too.

**Writing safely.** An answer that says that something was written is sent when it is on disk. Where none arrives, \
repeat: a `PUT`, `PATCH` or `DELETE` with its `If-Match`, a `POST` with an `Idempotency-Key`, which names this one \
write. Bound to you, the method and the path, it is kept for a day: the same request brings the first answer again, \
with `Idempotency-Replayed: true`, another one a 422, and one that comes while the first is under way a 409. Only what \
was done is kept: what was refused wrote nothing, and may be tried again under its key. The first answer is given \
again as it was, a secret in it too. With `dry_run=true` anything is checked and answered as if it were done.

**Reading your own writes.** Reads may be served by a replica, which follows a moment behind. The answer to a write, \
and to a request for changes, says in `Dateline-Position` how far the database had come; whoever sends that along with \
a read finds that write there, and all before it. Send the newest that you have. Without one, what you read may be as \
old as the replica is; changes, webhooks, keys and the audit trail never are.

The examples are of the timeline that comes along, `syria-2013`.
"""
_TEXT = {"type": "string"}
_HEADERS: Json = {
    "ETag": {
        "description": "The version, for `If-Match` and `If-None-Match`; of what has none, what names its content, for "
        "`If-None-Match`, but for what is sent as it is made.",
        "schema": _TEXT,
        "example": '"1"',
    },
    "Location": {"description": "Where it is now.", "schema": {"type": "string", "format": "uri-reference"}},
    "Link": {
        "description": 'The next page, `rel="next"` (RFC 8288); absent on the last one.',
        "schema": _TEXT,
        "example": '</v1/timelines/syria-2013/events?limit=2&cursor=AAAA>; rel="next"',
    },
    "Cache-Control": {
        "description": "Who may keep it: with `no-cache` whoever asks anew each time, with `no-store` nobody.",
        "schema": _TEXT,
        "example": "public, no-cache",
    },
    "Vary": {
        "description": "Which of a request's headers decide.",
        "schema": _TEXT,
        "example": "Accept-Encoding, Authorization",
    },
    "WWW-Authenticate": {"description": "How to send a key.", "schema": {"type": "string", "const": "Bearer"}},
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "5",
    },
    "RateLimit": {
        "description": "What is left of each limit, and in how many seconds it is whole again; absent where none "
        "applies.",
        "schema": _TEXT,
        "example": '"address";r=0;t=60',
    },
    "RateLimit-Policy": {
        "description": "Each limit: how many requests in how many seconds; absent where none applies.",
        "schema": _TEXT,
        "example": '"address";q=6000;w=60',
    },
    REPLAYED_HEADER: {
        "description": "The answer to an earlier request with this key, byte by byte; absent when it was done now.",
        "schema": {"type": "string", "const": "true"},
    },
    POSITION_HEADER: POSITION,
    "X-Request-Id": {
        "description": "Names this request in our log: yours, if you sent one, or one of ours.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"},
    },
}
_STEPS: Json = {"type": "array", "maxItems": MOST_STEPS, "items": {"$ref": "#/components/schemas/PatchStep"}}
# The headers that an answer of this status always bears; those of successes stand with their operations.
_HEADERS_OF_STATUS = {
    "304": ("ETag",),
    "401": ("WWW-Authenticate",),
    "406": ("Vary",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
# Those of what is read and may be kept (`service.api.caching`).
_OF_KEPT = dict.fromkeys(("200", "304"), ("Cache-Control", "Vary"))
# Those of every answer of an operation that is limited.
_LIMITS = ("RateLimit", "RateLimit-Policy")
# A write is what can be tried; these of its refusals may be the database's, and then say how far it had come.
_TRIAL = "dry_run"
_REFUSED = frozenset({"404", "409", "410", "412", "422", "428"})
_NOT_MODIFIED = "304"
_HELD: Json = {
    "name": HELD_HEADER,
    "in": "header",
    "required": False,
    "description": HELD,
    "schema": {
        "type": "string",
        "maxLength": MOST_TAGS_CHARACTERS,
        "format": "entity-tag",
        "examples": ['"8AOUJmSjwT5NJCkV3kbZ"'],
    },
}
# A 428 says that a version is needed.
_VERSION_REQUIRED = "428"
# A 412 bears the present version, where there is one.
_VERSION_CONFLICT = "412"
# A 409 says when to repeat a write that is under way.
_CONFLICT = "409"


def publish(app: FastAPI) -> None:
    """Have the application serve this document at /openapi.json."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def build(app: FastAPI) -> Json:
    """Build the document, with the limits of this service."""
    settings: Settings = app.state.settings
    document = get_openapi(
        title=app.title,
        version="1",
        summary="Event timelines with honest dates.",
        description=_DESCRIPTION.format(**settings.model_dump()),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
        servers=[{"url": "/", "description": "The service that this document came from."}],
        tags=_TAGS,
    )
    components = document["components"]
    # of itself, since it holds the problems of a batch's operations
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= problem["$defs"] | {"PatchStep": PatchStep.model_json_schema()}
    components["headers"] = _HEADERS
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    name_operations(components["schemas"])
    schemas = {name: completed(schema) for name, schema in components["schemas"].items()}
    components["schemas"] = dict(sorted((schemas | dict(CHOICES)).items()))
    readers = {route.name for route in _routes(app) if takes_position(route.dependant)}
    for path, method, operation in operations(document):
        _describe(operation)
        if operation["operationId"] in readers:
            operation["parameters"] = [*operation.get("parameters", ()), dict(POSITION_PARAMETER)]
        _require_version(method, operation)
        _tell_of_validation(path, method, operation)
        _complete_parameters(path, operation, page_items=settings.page_items)
        _complete_security(method, operation)
        _complete_request(method, operation)
        _complete_answers(method, _filled(path, operation), operation)
    return document


def _routes(app: FastAPI) -> Iterator[APIRoute]:
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            yield context.original_route


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Walk through a document's operations: path, method, operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _describe(operation: Json) -> None:
    """Take the summary from the first line of a route's docstring, and the description from the rest."""
    summary, _, description = operation["description"].partition("\n\n")
    operation["summary"] = summary.replace("\n", " ").removesuffix(".")
    operation["description"] = "\n\n".join(part.replace("\n", " ") for part in description.split("\n\n"))


def _require_version(method: str, operation: Json) -> None:
    """Say where nothing succeeds without `If-Match`; a PUT needs it where it replaces, and not where it creates."""
    if method == "put" or _VERSION_REQUIRED not in operation["responses"]:
        return
    for parameter in operation["parameters"]:
        parameter["required"] |= parameter["name"] == VERSION_HEADER


def _tell_of_validation(path: str, method: str, operation: Json) -> None:
    """Say that what is read can be asked for unless it is held already (`service.api.validation`)."""
    found = operation["responses"]
    if method != "get" or _NOT_MODIFIED in found or not path.startswith("/v1/"):
        return
    if answers.JSON in found["200"].get("content", {}):
        found["200"]["headers"] = found["200"].get("headers", {}) | answers.headers("ETag")["headers"]
        found[_NOT_MODIFIED] = {"description": "You hold it already."}
        operation["parameters"] = [*operation.get("parameters", ()), deepcopy(_HELD)]


def _complete_parameters(path: str, operation: Json, *, page_items: int) -> None:
    """Show an example where one is needed to send the request at all; elsewhere the schema has them."""
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = schema = completed(parameter["schema"])
        schema.pop("description", None)
        if schema.get("default") == []:  # that is: absent
            del schema["default"]
        kept = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
        if kept:  # a parameter is absent, never null
            schema.pop("anyOf")
            schema |= kept[0]
        if parameter["name"] == PAGE:
            schema["maximum"] = page_items
        if path in SLUGS and parameter["name"] == "slug":
            schema["examples"] = [SLUGS[path]]
        if parameter["required"]:
            parameter["example"] = schema.pop("examples")[0]


def _filled(path: str, operation: Json) -> str:
    values = {one["name"]: one["example"] for one in operation.get("parameters", ()) if one["in"] == "path"}
    return path.format(**values)


def _complete_security(method: str, operation: Json) -> None:
    """Say that reading works without a key, but for what only writers may read, and what no key is asked for."""
    operation.setdefault("security", [])
    if operation["security"] and method == "get" and "403" not in operation["responses"]:
        operation["security"] = [{}, *operation["security"]]


def _complete_request(method: str, operation: Json) -> None:
    if "requestBody" not in operation:
        return
    content = operation["requestBody"]["content"]
    shown: dict[str, Json] = {}
    for one in _exchanges(operation):
        if one.body:
            example = {"summary": one.called, "value": one.body}
            shown.setdefault(one.media_type, {})[f"answered-{one.status}"] = example
    if method == "patch":
        content |= {name: {"schema": content[answers.JSON]["schema"]} for name in MERGE_PATCHES}
        shown |= dict.fromkeys(MERGE_PATCHES, shown[answers.JSON])
    if JSON_PATCH in shown:
        content[JSON_PATCH] = {"schema": _STEPS}
    for name, media in content.items():
        media["schema"] = completed(media["schema"])
        media["examples"] = shown[name]


def _complete_answers(method: str, path: str, operation: Json) -> None:
    """Leave out FastAPI's own 422, and give each answer its headers and an example."""
    found = operation["responses"]
    if answers.JSON in found.get("422", {}).get("content", {}):
        del found["422"]
    operation["responses"] = {status: found[status] for status in sorted(found)}
    limits = _LIMITS if "429" in found else ()
    of_kept = _OF_KEPT if method == "get" and not path.startswith(WATCHED) else {}
    parameters = {one["name"] for one in operation.get("parameters", ())}
    is_repeatable, is_write = KEY_HEADER in parameters, _TRIAL in parameters
    for status, answer in operation["responses"].items():
        names = [*_HEADERS_OF_STATUS.get(status, ()), *of_kept.get(status, ()), *limits, "X-Request-Id"]
        answer["headers"] = answer.get("headers", {}) | answers.headers(*names)["headers"]
        content = answer.get("content", {})
        if is_repeatable and status < "300":
            answer["headers"] |= answers.headers(REPLAYED_HEADER)["headers"]
        if is_repeatable and status == _CONFLICT:
            answer["headers"] |= answers.headers("Retry-After")["headers"]
        if is_write and (status < "300" or status in _REFUSED):
            answer["headers"] |= answers.headers(POSITION_HEADER)["headers"]
        if status == _VERSION_CONFLICT:
            answer["headers"] |= answers.headers("ETag")["headers"]
        if MEDIA_TYPE in content:
            examples = refusals(operation, path, int(status))
            content[MEDIA_TYPE]["examples"] = {
                name: {"summary": one["title"], "value": one} for name, one in examples.items()
            }
    for exchange in _exchanges(operation):
        _show(exchange, operation["responses"][str(exchange.status)])


def _show(exchange: Exchange, answer: Json) -> None:
    for media_type, media in answer.get("content", {}).items():
        media["schema"] = completed(media["schema"])
        value: object = exchange.texts.get(media_type, exchange.answer)
        if isinstance(value, str) and is_structured(media_type):
            value = json.loads(value)
        media["examples"] = {"seeded": {"summary": _request_line(exchange), "value": value}}


def _request_line(exchange: Exchange) -> str:
    """Say which request it is, by what is in its query."""
    query = "&".join(f"{name}={value}" for name, value in exchange.query.items())
    asked = f"{exchange.called} (?{query})" if query else exchange.called
    return f"{asked}: an excerpt" if exchange.is_excerpt else asked


def _exchanges(operation: Json) -> list[Exchange]:
    return [one for one in EXCHANGES if one.operation == operation["operationId"]]
