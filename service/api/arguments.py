"""The arguments of an endpoint that reads, taken from a request as FastAPI declares them, without its solver.

FastAPI asks at every request how each parameter was declared: a fifth of the time of a page (`make bench`). Here that
is asked once. The values are checked by FastAPI's own fields, so that what is taken, what is refused, and the
published document are the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import Any, get_args, get_origin, get_type_hints

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

# A value, and what is wrong with it.
Checked = tuple[Any, list[Any]]

# All that a function may ask for here; whatever else there is, in this release of FastAPI or a later one, is FastAPI's.
_KNOWN = {
    "name",
    "call",
    "path",
    "scope",
    "use_cache",
    "dependencies",
    "path_params",
    "query_params",
    "header_params",
    "request_param_name",
    "http_connection_param_name",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: the endpoint's name for it, and how a request gives its value, or why not."""

    name: str
    read: Callable[[Request], Checked]


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function is called with: the request, what other functions give, and parameters, in FastAPI's order."""

    call: Callable[..., Awaitable[Any]]
    request_name: str | None
    needed: tuple[tuple[str, Arguments], ...]
    parameters: tuple[Parameter, ...]

    async def answer(self, request: Request) -> Response:
        """Call the endpoint. Raises RequestValidationError, as FastAPI does."""
        response: Response = await self.called(request, {})
        return response

    async def called(self, request: Request, found: dict[Callable[..., Any], Any]) -> Any:  # noqa: ANN401  # what the function gives
        """Call the function, and before it those that it needs, each once for a request: `found` is what they gave."""
        given: dict[str, Any] = {}
        for name, needed in self.needed:
            if needed.call not in found:
                found[needed.call] = await needed.called(request, found)
            given[name] = found[needed.call]
        wrong: list[Any] = []
        for parameter in self.parameters:
            given[parameter.name], errors = parameter.read(request)
            wrong += errors
        if wrong:
            raise RequestValidationError(wrong)
        if self.request_name is not None:
            given[self.request_name] = request
        return await self.call(**given)


def plain_arguments(dependant: Dependant, several: Mapping[str, bool]) -> Arguments | None:
    """Learn how an endpoint is called; None for one that asks for more than this knows to give, or answers otherwise.

    `several` names the query's parameters, and tells which may stand more than once.
    """
    call = dependant.call
    if call is None or not _answers(call):
        return None
    return _arguments(dependant, several)


def _answers(call: Callable[..., Any]) -> bool:
    """Tell whether an endpoint answers by itself, not by a model that FastAPI would have to write."""
    answer = get_type_hints(call).get("return")
    return isinstance(answer, type) and issubclass(answer, Response)


def _arguments(dependant: Dependant, several: Mapping[str, bool]) -> Arguments | None:
    asked = {one.name for one in fields(dependant) if getattr(dependant, one.name)}
    if not asked <= _KNOWN or not _is_awaited(dependant.call):
        return None
    alone = (*dependant.query_params, *dependant.header_params)
    if any(_is_several(field.field_info.annotation) for field in alone):
        return None
    needed = []
    for other in dependant.dependencies:
        arguments = _arguments(other, several)
        if arguments is None or arguments.parameters or other.name is None:
            return None
        needed.append((other.name, arguments))
    parameters = [
        *(Parameter(field.name, _from_path(field)) for field in dependant.path_params),
        *(Parameter(field.name, _from_query(field, several)) for field in dependant.query_params),
        *(Parameter(field.name, _from_headers(field)) for field in dependant.header_params),
    ]
    assert dependant.call is not None  # noqa: S101  # it is awaited
    request_name = dependant.request_param_name or dependant.http_connection_param_name
    return Arguments(dependant.call, request_name, tuple(needed), tuple(parameters))


def _is_several(annotation: object) -> bool:
    """Tell whether a parameter by itself, not a member of a model, may stand more than once."""
    return get_origin(annotation) is list or any(_is_several(one) for one in get_args(annotation))


def _is_awaited(call: Callable[..., Any] | None) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)


def _from_path(field: Any) -> Callable[[Request], Checked]:  # noqa: ANN401  # FastAPI does not publish its fields' type
    alias, place = field.alias, ("path", field.alias)

    def read(request: Request) -> Checked:
        value: Checked = field.validate(request.path_params[alias], loc=place)
        return value

    return read


def _from_query(field: Any, several: Mapping[str, bool]) -> Callable[[Request], Checked]:  # noqa: ANN401  # as above
    annotation = field.field_info.annotation
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return _from_one(field, "query", lambda request: request.query_params)

    def read(request: Request) -> Checked:
        asked = request.query_params
        members = {name: asked.getlist(name) if several[name] else asked[name] for name in asked}
        value: Checked = field.validate(members, loc=("query",))
        return value

    return read


def _from_headers(field: Any) -> Callable[[Request], Checked]:  # noqa: ANN401  # as above
    return _from_one(field, "header", lambda request: request.headers)


def _from_one(field: Any, place: str, given: Callable[[Request], Mapping[str, str]]) -> Callable[[Request], Checked]:  # noqa: ANN401  # as above
    alias = field.alias
    is_required = field.field_info.is_required()

    def read(request: Request) -> Checked:
        text = given(request).get(alias)
        if text is None:
            return (None, [_missing(place, alias)]) if is_required else (deepcopy(field.default), [])
        value: Checked = field.validate(text, loc=(place, alias))
        return value

    return read


def _missing(place: str, alias: str) -> dict[str, Any]:
    """Say that a parameter is not there, as FastAPI does: what is not there no field can check."""
    return {"type": "missing", "loc": (place, alias), "msg": "Field required", "input": None}
