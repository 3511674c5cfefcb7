"""Claims over HTTP: who says so."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from service.api import answers
from service.api.access import Reader
from service.api.etag import IfMatch, etag, expectation
from service.api.events import event_path
from service.api.freshness import ReadStore
from service.api.known import KnownAt
from service.api.parameters import EventId, TimelineSlug
from service.api.strict import StrictRoute
from service.api.writing import RepeatableWrite, Write
from service.errors import NotFound
from service.store import events
from service.store.replica import Readable
from service.store.statement import Connection
from service.wire.event import Claim, ClaimBody, ClaimList, Event

router = APIRouter(tags=["Claims"], route_class=StrictRoute)

ClaimId = Annotated[UUID, Path(description="A claim's identity.", examples=["585231d0-9e3c-5db6-9783-6ee0691d109b"])]


async def _claims(
    store: Readable, timeline: str, event: UUID, caller: Reader, known_at: int | None
) -> tuple[int, list[Claim]]:
    async with store.read() as connection:
        version, content = await events.get_event(connection, timeline, event, caller, known_at=known_at)
    return version, Event.model_validate_json(content or b"").claims


@router.get(
    "/timelines/{timeline}/events/{event}/claims",
    response_model=ClaimList,
    responses=answers.problems(400, 401, 404, 410)
    | {200: {"description": "All claims of the event.", **answers.headers("ETag")}},
)
async def list_claims(
    timeline: TimelineSlug, event: EventId, store: ReadStore, caller: Reader, known_at: KnownAt = None
) -> Response:
    """Read who says so.

    All claims of an event, in the order in which they were made; the `ETag` is the event's.
    """
    version, claims = await _claims(store, timeline, event, caller, known_at)
    return answers.entry(ClaimList(items=claims), version)


@router.post(
    "/timelines/{timeline}/events/{event}/claims",
    status_code=201,
    response_model=Claim,
    responses=answers.problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 422)
    | {201: {"description": "Added.", **answers.headers("ETag", "Location")}},
)
async def create_claim(
    timeline: TimelineSlug,
    event: EventId,
    body: ClaimBody,
    write: RepeatableWrite,
    if_match: IfMatch = None,
) -> Response:
    """Add who says so.

    It is a new version of the event, whose `ETag` is sent. The event's status and date stay: a claim asserts, no
    more. `If-Match` is not needed, since nobody's claim is lost; it is heeded where it is sent.
    """

    async def add(connection: Connection) -> Response:
        claim, stored = await events.add_claim(connection, timeline, event, body, expectation(if_match), write.caller)
        headers = {"Location": f"{event_path(timeline, str(event))}/claims/{claim.id}"}
        return answers.entry(claim, stored.version, status=201, headers=headers)

    return await write.do(add)


@router.get(
    "/timelines/{timeline}/events/{event}/claims/{claim}",
    response_model=Claim,
    responses=answers.problems(400, 401, 404, 410) | {200: {"description": "The claim.", **answers.headers("ETag")}},
)
async def get_claim(
    timeline: TimelineSlug, event: EventId, claim: ClaimId, store: ReadStore, caller: Reader, known_at: KnownAt = None
) -> Response:
    """Read one claim.

    The `ETag` is its event's.
    """
    version, claims = await _claims(store, timeline, event, caller, known_at)
    for one in claims:
        if one.id == claim:
            return answers.entry(one, version)
    raise NotFound(f"no claim {claim} of event {event}")


@router.delete(
    "/timelines/{timeline}/events/{event}/claims/{claim}",
    status_code=204,
    response_class=Response,
    responses=answers.problems(400, 401, 403, 404, 410, 412)
    | {204: {"description": "Taken back.", **answers.headers("ETag")}},
)
async def delete_claim(
    timeline: TimelineSlug,
    event: EventId,
    claim: ClaimId,
    write: Write,
    if_match: IfMatch = None,
) -> Response:
    """Take back who says so.

    It is a new version of the event, whose `ETag` is sent.
    """

    async def remove(connection: Connection) -> Response:
        stored = await events.remove_claim(connection, timeline, event, claim, expectation(if_match), write.caller)
        return Response(status_code=204, headers={"ETag": etag(stored.version)})

    return await write.do(remove)
