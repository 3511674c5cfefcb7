"""Claims over HTTP: who says so."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from service.api import answers
from service.api.access import Reader, Store, Writer
from service.api.etag import IfMatch, etag, expectation
from service.api.events import event_path
from service.api.parameters import EventId, TimelineSlug
from service.api.strict import StrictRoute
from service.errors import NotFound
from service.store import events
from service.wire.event import Claim, ClaimBody, ClaimList, Event

router = APIRouter(tags=["Claims"], route_class=StrictRoute)

ClaimId = Annotated[UUID, Path(description="A claim's identity.")]


async def _claims(store: Store, timeline: str, event: UUID, caller: Reader) -> tuple[int, list[Claim]]:
    async with store.read() as connection:
        version, content = await events.get_event(connection, timeline, event, caller)
    return version, Event.model_validate_json(content or b"").claims


@router.get(
    "/timelines/{timeline}/events/{event}/claims",
    response_model=ClaimList,
    responses=answers.problems(400, 401, 404),
)
async def list_claims(timeline: TimelineSlug, event: EventId, store: Store, caller: Reader) -> Response:
    """Read who says so: every claim of an event, in the order in which they were made."""
    version, claims = await _claims(store, timeline, event, caller)
    return answers.entry(ClaimList(items=claims), version)


@router.post(
    "/timelines/{timeline}/events/{event}/claims",
    status_code=201,
    response_model=Claim,
    responses=answers.problems(400, 401, 403, 404, 412, 413, 415, 422),
)
async def create_claim(
    timeline: TimelineSlug,
    event: EventId,
    body: ClaimBody,
    store: Store,
    caller: Writer,
    if_match: IfMatch = None,
) -> Response:
    """Add who says so. It is a new version of the event, whose status and date stay: a claim asserts, no more."""
    async with store.transaction() as connection:
        claim, stored = await events.add_claim(connection, timeline, event, body, expectation(if_match), caller)
    headers = {"Location": f"{event_path(timeline, str(event))}/claims/{claim.id}"}
    return answers.entry(claim, stored.version, status=201, headers=headers)


@router.get(
    "/timelines/{timeline}/events/{event}/claims/{claim}",
    response_model=Claim,
    responses=answers.problems(400, 401, 404),
)
async def get_claim(timeline: TimelineSlug, event: EventId, claim: ClaimId, store: Store, caller: Reader) -> Response:
    """Read one claim."""
    version, claims = await _claims(store, timeline, event, caller)
    for one in claims:
        if one.id == claim:
            return answers.entry(one, version)
    raise NotFound(f"no claim {claim} of event {event}")


@router.delete(
    "/timelines/{timeline}/events/{event}/claims/{claim}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404, 412),
)
async def delete_claim(
    timeline: TimelineSlug,
    event: EventId,
    claim: ClaimId,
    store: Store,
    caller: Writer,
    if_match: IfMatch = None,
) -> Response:
    """Take back who says so. It is a new version of the event."""
    async with store.transaction() as connection:
        stored = await events.remove_claim(connection, timeline, event, claim, expectation(if_match), caller)
    return Response(status_code=204, headers={"ETag": etag(stored.version)})
