"""The document's schemas, completed for those who make clients of it, whose types are called what is called so here.

A choice of words that stands in several places is one component, and so one type of a client. A whole number has a
width, without which some generators take the narrowest, and others the widest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter

from service.api.parameters import Certainty, EventFormat, RelationName
from service.store.counting import Count
from service.store.query import Sort
from service.wire.directory import ActorKind, Visibility
from service.wire.event import Rel, Status
from service.wire.key import Scope
from service.wire.webhook import DeliveryState, Operation

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_LARGEST_INT32 = 2**31 - 1
_UUID_CHARACTERS = 36


def _choice(of: Any, description: str) -> Json:  # noqa: ANN401  # a Literal
    return TypeAdapter(of).json_schema() | {"description": description}


CHOICES: Mapping[str, Json] = {
    "ActorKind": _choice(ActorKind, "What an actor is."),
    "Certainty": _choice(Certainty, "Whether an event's date may, or must, stand in a relation to a window."),
    "ChangeKind": _choice(Operation, "What a write did to an event."),
    "CountMode": _choice(Count, "Whether, and how well, all that match are counted."),
    "DeliveryState": _choice(DeliveryState, "Whether a message is to be sent, was taken, or was given up."),
    "EventFormat": _choice(EventFormat, "A representation of events."),
    "EventSort": _choice(Sort, "An order of events; `-` before it is descending."),
    "EventStatus": _choice(Status, "What is recorded of an event. Nothing becomes `occurred` by the clock."),
    "LinkRel": _choice(Rel, "How an event stands to another of its timeline."),
    "Relation": _choice(RelationName, "How an event stands to a window of time."),
    "Scope": _choice(Scope, "What a key opens: `write` reads too, and `admin` does all."),
    "Visibility": _choice(Visibility, "Who may read a timeline: all, or those alone who have a key."),
}
_NAMES = {tuple(choice["enum"]): name for name, choice in CHOICES.items()}


def completed(schema: Any) -> Any:  # noqa: ANN401  # any part of a JSON Schema
    """Complete a schema and all that it is made of."""
    for step in (_untitled, _sized, _described_once, _referring):
        schema = _mapped(schema, step)
    return schema


def name_operations(schemas: Json) -> None:
    """Give the operations of a batch a name: they are a union, which generators would name by where it stands."""
    operations = schemas["BatchBody"]["properties"]["operations"]
    schemas["BatchOperation"] = {"description": "A write of a batch; `operation` says which.", **operations["items"]}
    operations["items"] = {"$ref": f"{_REFERENCE}BatchOperation"}


def _mapped(part: Any, change: Callable[[Json], Json]) -> Any:  # noqa: ANN401  # as above
    if isinstance(part, list):
        return [_mapped(one, change) for one in part]
    if not isinstance(part, dict):
        return part
    return change({name: _mapped(one, change) for name, one in part.items()})


def _untitled(schema: Json) -> Json:
    """Leave out the titles that pydantic makes of the members' names."""
    return {name: part for name, part in schema.items() if name != "title" or not isinstance(part, str)}


def _sized(schema: Json) -> Json:
    """Say how wide a whole number is, and how long a UUID."""
    if schema.get("type") == "integer":
        is_narrow = schema.get("maximum", _LARGEST_INT32 + 1) <= _LARGEST_INT32
        return schema | {"format": "int32" if is_narrow else "int64"}
    if schema.get("format") == "uuid":
        return schema | {"maxLength": _UUID_CHARACTERS}
    return schema


def _described_once(schema: Json) -> Json:
    """Describe what may be null once, and outside: of two descriptions some generators take the inner one."""
    if "anyOf" not in schema:
        return schema
    described = [one["description"] for one in (schema, *schema["anyOf"]) if "description" in one]
    if not described:
        return schema
    inner = [{key: part for key, part in one.items() if key != "description"} for one in schema["anyOf"]]
    return schema | {"anyOf": inner, "description": described[0]}


def _referring(schema: Json) -> Json:
    """Refer to a choice by its name."""
    words = schema.get("enum")
    name = _NAMES.get(tuple(words)) if isinstance(words, list) else None
    if name is None:
        return schema
    rest = {key: part for key, part in schema.items() if key not in ("enum", "type")}
    return {"$ref": f"{_REFERENCE}{name}"} | rest
