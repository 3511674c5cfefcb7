"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from service.api import answers
from service.api.access import Store
from service.api.strict import StrictRoute
from service.errors import Unavailable
from service.store.readiness import check_schema
from service.wire.values import Answer

router = APIRouter(prefix="/health", tags=["Health"], route_class=StrictRoute)

_PATIENCE_SECONDS = 2.0


class Health(Answer):
    """How the process is."""

    status: Literal["ok"] = Field("ok", description="All is well.")


@router.get(
    "/live",
    response_model=Health,
    responses=answers.problems(400, asks_database=False, is_limited=False) | {200: {"description": "It lives."}},
)
async def get_liveness() -> Health:
    """Tell that the process answers.

    It says nothing of the database: a process that waits for it need not be started anew.
    """
    return Health()


@router.get(
    "/ready",
    response_model=Health,
    responses=answers.problems(400, is_limited=False) | {200: {"description": "They can."}},
)
async def get_readiness(store: Store) -> Health:
    """Tell whether requests can be served.

    They can when the database is reachable and its schema is this release's.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), store.read() as connection:
            await check_schema(connection)
    except TimeoutError as error:
        raise Unavailable("the database does not answer") from error
    return Health()
