"""The short way of a read to its operation: found by its path, and called with nothing between.

FastAPI's router asks one route after the other, each twice, and puts exit stacks around the endpoint: longer than the
read of an event takes. Who is called without FastAPI's solver (`service.api.arguments`) needs neither. It is a way
and no other service: the operations are those of the router, and what they raise is answered by the same handlers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.convertors import StringConvertor
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.freshness import Handler
from service.api.layer import Layer, answer_of
from service.api.strict import StrictRoute

# What the router knows a request by once it has a route; FastAPI's telemetry is told by the router itself.
_TELEMETRY = "fastapi.telemetry"
_NAMED = re.compile(r"\(\?P<\w+>")


class Operation(NamedTuple):
    """An operation that reads: its route, the names of its path's parameters, and what answers."""

    route: StrictRoute
    names: tuple[str, ...]
    answer: Handler


class Operations:
    """The operations that GET finds, by their paths, in the order in which the router would ask them."""

    def __init__(self, app: FastAPI) -> None:
        patterns = []
        self._operations: dict[int, tuple[int, Operation]] = {}
        groups = 0
        for context in iter_route_contexts(app.routes):
            if not isinstance(context.original_route, Mount) and "GET" not in (context.methods or ()):
                continue
            pattern: str = context.path_regex.pattern
            names = tuple(context.param_convertors)
            # the empty group at the end tells which of them it was
            patterns.append(f"{_NAMED.sub('(', pattern)}()")
            first, groups = groups + 1, groups + len(names) + 1
            operation = _operation(context, names)
            if operation is not None:
                self._operations[groups] = (first, operation)
        self._pattern = re.compile("|".join(patterns))

    def find(self, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Find the operation of a path, and the path's parameters; None where the router is to find it."""
        found = self._pattern.match(path)
        if found is None or found.lastindex not in self._operations:
            return None
        first, operation = self._operations[found.lastindex]
        return operation, {name: found[first + i] for i, name in enumerate(operation.names)}


def _operation(context: RouteContext, names: tuple[str, ...]) -> Operation | None:
    route = context.original_route
    if not isinstance(route, StrictRoute) or context.path_regex.groups != len(names):
        return None
    if not all(isinstance(one, StringConvertor) for one in context.param_convertors.values()):
        return None
    answer = route.plain_handler()
    return None if answer is None else Operation(route, names, answer)


class Direct(Layer):
    """Have a GET answered by its operation, if it can be called so; all else goes FastAPI's way."""

    def __init__(self, app: ASGIApp, fastapi: FastAPI) -> None:
        super().__init__(app)
        self._fastapi = fastapi

    @cached_property
    def _operations(self) -> Operations:
        """Gather them at the first request, when all routes are there."""
        return Operations(self._fastapi)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        request = Request(scope, receive, send)
        if scope["path"].endswith("\n"):  # which Starlette's expressions take for nothing
            await self._refused(request, HTTPException(HTTPStatus.NOT_FOUND))
            return
        found = None
        if scope["method"] == "GET" and _TELEMETRY not in scope and not scope.get("root_path"):
            found = self._operations.find(scope["path"])
        if found is None:
            await self.app(scope, receive, send)
            return
        operation, scope["path_params"] = found
        scope["route"], scope["endpoint"] = operation.route, operation.route.endpoint
        try:
            response = await operation.answer(request)
            await response(scope, receive, send)
        except Exception as error:
            # what nobody foresaw is for whoever stands further outside, as everywhere
            if answer_of(scope).has_begun or not await self._refused(request, error):
                raise

    async def _refused(self, request: Request, error: Exception) -> bool:
        """Answer an error as FastAPI would; tell whether there was a handler for it."""
        handler = self._handler_of(error)
        if handler is None:
            return False
        handled = handler(request, error)
        refusal: Response = await handled if inspect.isawaitable(handled) else handled
        await refusal(request.scope, request.receive, request._send)  # noqa: SLF001  # as Starlette's own handlers do
        return True

    def _handler_of(self, error: Exception) -> Callable[[Request, Exception], Any] | None:
        handlers = self._fastapi.exception_handlers
        found = (handlers[kind] for kind in type(error).__mro__ if kind in handlers and kind is not Exception)
        return next(found, None)
