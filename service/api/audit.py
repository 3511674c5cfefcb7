"""The audit trail over HTTP, for administrators."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from service.api import answers
from service.api.access import Administrator, Store
from service.api.parameters import PAGE_EVENTS, Cursor, Limit
from service.api.strict import StrictRoute
from service.store.audit import list_traces
from service.store.cursor import Cursors
from service.wire.audit import AuditPage
from service.wire.values import PRINTABLE_PATTERN

router = APIRouter(tags=["Keys"], route_class=StrictRoute)


@router.get(
    "/audit",
    response_model=AuditPage,
    responses=answers.problems(400, 401, 403) | {200: {"description": "A page of writes.", **answers.headers("Link")}},
)
async def list_audit(
    request: Request,
    store: Store,
    _: Administrator,
    caller: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=300,
            pattern=PRINTABLE_PATTERN,
            description="Only what this caller wrote: a key's prefix, or `oidc:` and a subject.",
            examples=["dl_4k2m9xq7wz"],
        ),
    ] = None,
    limit: Limit = PAGE_EVENTS,
    cursor: Cursor = None,
) -> Response:
    """Read who wrote what, the newest first.

    An entry is written with the write itself, or neither is; a batch has one, and so has what an operator does on the
    command line. What was refused, and what was only tried (`dry_run`),
    wrote nothing: it is in the log.
    """
    cursors = Cursors.of(await store.cursor_key(), "audit", caller)
    (before,) = cursors.read(cursor, UUID) or (None,)
    async with store.read() as connection:
        entries, end = await list_traces(connection, caller=caller, before=before, limit=limit)
    following = cursors.write(None if end is None else [end])
    page = AuditPage(items=entries, next=following)
    return answers.listed(request, page)
