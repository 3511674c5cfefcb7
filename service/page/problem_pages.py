"""Each kind of problem explained, at the address that is its `type`; and each problem of a page as a page.

A browser that asks for a page, and is refused, is shown why as one (RFC 9110, section 12.5.1). Programs are told of
problems as problem details, wherever; so is everyone where only programs ask.
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service.api.layer import Layer
from service.api.negotiation import choose
from service.api.problems import KINDS, MEDIA_TYPE, NotAcceptable
from service.errors import NotFound
from service.page.routes import PageRoute
from service.page.templates import page
from service.wire.problem import Problem

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_HTML = "text/html"
_OF_PROGRAMS = ("/v1", "/health", "/metrics", "/openapi.json")


@router.get("/problems")
async def problem_list() -> HTMLResponse:
    """List all kinds of problems."""
    return page("problems.html", kinds=sorted(KINDS.values(), key=lambda kind: (kind.status, kind.name)))


@router.get("/problems/{name}")
async def problem_page(name: str) -> HTMLResponse:
    """Explain one kind of problem. Raises NotFound for a name that is none."""
    if name not in KINDS:
        raise NotFound("no such kind of problem")
    return page("problems.html", kinds=[KINDS[name]])


class ProblemPages(Layer):
    """Show who prefers HTML a problem as a page, where there are pages."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer back."""
        is_for_people = not scope["path"].startswith(_OF_PROGRAMS) and _prefers_html(Request(scope))
        await self.app(scope, receive, _AsPage(send) if is_for_people else send)


def _prefers_html(request: Request) -> bool:
    try:
        return choose(request, [MEDIA_TYPE, _HTML]) == _HTML
    except NotAcceptable:
        return False


class _AsPage:
    """An answer on its way out; where it is a problem, its head waits for what the page is made of."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message, or two."""
        if (b"content-type", MEDIA_TYPE.encode()) in message.get("headers", ()):
            self._start = message
            return
        if self._start is not None:
            problem = Problem.model_validate_json(message["body"])
            shown = page("problem.html", problem.status, problem=problem)
            replaced = {name for name, _ in shown.raw_headers}
            kept = [header for header in self._start["headers"] if header[0] not in replaced]
            await self._send({**self._start, "headers": [*kept, *shown.raw_headers, (b"vary", b"Accept")]})
            self._start, message = None, {**message, "body": shown.body}
        await self._send(message)
