"""Each kind of problem explained, at the address that is its `type`."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from service.api.problems import KINDS
from service.errors import NotFound
from service.page.templates import page

router = APIRouter(include_in_schema=False)


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
