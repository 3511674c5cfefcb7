"""The published document: what FastAPI derives, with problem details for every error."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.wire.problem import Problem

_TAGS = [
    {"name": "Timelines", "description": "Stories being followed."},
    {"name": "Events", "description": "Dated events, found by what is certain and what is possible of them."},
    {"name": "Claims", "description": "Who says so."},
    {"name": "Links", "description": "How events of a timeline are tied to each other."},
    {"name": "Changes", "description": "The feed that misses nothing: every write, in commit order, resumable."},
    {"name": "Webhooks", "description": "The same changes, sent to you: signed, tried again, and replayed."},
    {"name": "Directory", "description": "Actors, places and sources, shared by all timelines."},
    {"name": "Dates", "description": "EDTF expressions, explained."},
    {"name": "Health", "description": "Whether the service lives and can do its work."},
]
_DESCRIPTION = """\
An event-timeline service that keeps every date as precisely as it is known, and no more precisely.

An event's `when` is an EDTF expression (ISO 8601-2:2019 Annex A). It becomes four instants: the event starts
somewhere between `bounds.start.earliest` and `bounds.start.latest` and ends somewhere between
`bounds.end.earliest` and `bounds.end.latest`. A query for a window of time answers with what is *possible*, or
with what is *certain*.
"""


def publish(app: FastAPI) -> None:
    """Have the application serve this document at /openapi.json."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def build(app: FastAPI) -> dict[str, Any]:
    """Build the document."""
    document = get_openapi(
        title=app.title,
        version="1",
        summary="Event timelines with honest dates.",
        description=_DESCRIPTION,
        routes=app.routes,
        tags=_TAGS,
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for path in document["paths"].values():
        for operation in path.values():
            _drop_default_error(operation)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def _drop_default_error(operation: dict[str, Any]) -> None:
    """Leave out FastAPI's own 422, which no answer of ours obeys."""
    refused = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
    if refused.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del operation["responses"]["422"]
