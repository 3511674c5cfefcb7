"""The API's documentation in a browser: Swagger UI, served by ourselves, with no script inside the page.

The assets come with the package fastapi-offline; nothing is loaded from elsewhere.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from service.page.routes import PageRoute
from service.page.templates import page

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_ASSETS = Path(str(files(fastapi_offline))) / "static"


def mount_assets(app: FastAPI) -> None:
    """Serve Swagger UI's files."""
    app.mount("/docs-assets", StaticFiles(directory=_ASSETS), name="docs-assets")


@router.get("/docs")
async def docs_page() -> HTMLResponse:
    """Show the documentation."""
    return page("docs.html")
