"""Pages from templates, with the headers that every page carries, and the files that they need."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

_STATIC = Path(__file__).with_name("static")
# Nothing from elsewhere, no script and no style inside a page; Swagger UI's style sheet has pictures in itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The rest is added to every answer (`service.api.security_headers`).
_HEADERS = {"Content-Security-Policy": _POLICY}


def _ticked(text: str) -> Markup:
    """Show what stands between backticks as code; everything is escaped."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(text.split("`"))
    )


_ENVIRONMENT = Environment(
    loader=PackageLoader("service.page", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["ticked"] = _ticked


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Render a page; every value is escaped."""
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status, _HEADERS)


def mount_files(app: FastAPI) -> None:
    """Serve the pages' own style sheets, script and icon."""
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
