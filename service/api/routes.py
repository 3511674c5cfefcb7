"""The template of the route that a request took: `/v1/timelines/{timeline}`, not one path of the many."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount
from starlette.types import Scope


class Templates:
    """The routes' templates, by what each of them runs; gathered at the first request, when all routes are there."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    @cached_property
    def of_endpoint(self) -> Mapping[object, str]:
        """Give the template of each endpoint; of a folder of files that is its path."""
        found: dict[object, str] = {}
        for context in iter_route_contexts(self._app.routes):
            route = context.original_route
            if isinstance(route, Mount):
                found[route.app] = f"{route.path}/{{path}}"
            elif context.path is not None:
                found[context.endpoint] = context.path
        return found

    def find(self, scope: Scope) -> str | None:
        """Find the template of the route that was taken; None if the path is none, or the request came not so far."""
        return self.of_endpoint.get(scope.get("endpoint"))
