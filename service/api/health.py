"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field

from service.api import answers
from service.api.access import Store
from service.api.stopping import Stopping
from service.api.strict import StrictRoute
from service.errors import Unavailable
from service.store.readiness import check_schema
from service.store.replica import Replica, Standing
from service.wire.values import Answer

router = APIRouter(prefix="/health", tags=["Health"], route_class=StrictRoute)

_PATIENCE_SECONDS = 2.0


class Health(Answer):
    """How the process is."""

    status: Literal["ok"] = Field("ok", description="All is well.")


class Readiness(Health):
    """How the process is, and the replica that it reads from."""

    replica: Literal["ok", "behind", "down"] | None = Field(
        None, description="Where there is a replica: while it is `behind` or `down`, all reads go to the primary."
    )


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
    response_model=Readiness,
    response_model_exclude_none=True,
    responses=answers.problems(400, is_limited=False) | {200: {"description": "They can."}},
)
async def get_readiness(request: Request, store: Store) -> Readiness:
    """Tell whether requests can be served.

    They can when the database is reachable and its schema is this release's, or a later one's: while releases take
    turns, the earlier runs on the schema of the later. A replica is not needed for it. A process that was told to stop
    is not ready, though it still answers.
    """
    stopping: Stopping = request.app.state.stopping
    if stopping.is_told:
        raise Unavailable("the service is stopping")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), store.read() as connection:
            await check_schema(connection)
    except TimeoutError as error:
        raise Unavailable("the database does not answer") from error
    replica: Replica | None = request.app.state.replica
    return Readiness() if replica is None else Readiness(replica=_health_of(replica.standing))


def _health_of(standing: Standing) -> Literal["ok", "behind", "down"]:
    if standing.why_not is None:
        return "ok"
    return "behind" if standing.is_up else "down"
