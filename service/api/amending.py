"""Changing an event over HTTP: by a merge patch, or step by step by a JSON Patch; the body's media type says which."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Response
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from service.api import answers
from service.api.etag import IfMatch, expectation
from service.api.parameters import EventId, TimelineSlug
from service.api.strict import JSON_PATCH, MERGE_PATCHES, StrictRoute, media_type
from service.api.writing import Write, Writing
from service.store import events
from service.store.statement import Connection
from service.wire.amendment import MOST_STEPS, Amendment, MergePatch, PatchStep, StepwisePatch
from service.wire.event import Event, EventPatch


class AmendingRoute(StrictRoute):
    """One of two operations of the same method and path, each for its own media types."""

    accepted_patches = (*MERGE_PATCHES, JSON_PATCH)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Leave a JSON Patch to the operation that takes it, and that operation nothing else."""
        match, child = super().matches(scope)
        is_stepwise = self.taken == (JSON_PATCH,)
        if match is Match.FULL and (media_type(Headers(scope=scope)) == JSON_PATCH) != is_stepwise:
            return Match.NONE, {}
        return match, child


router = APIRouter(tags=["Events"], route_class=AmendingRoute)

_PATH = "/timelines/{timeline}/events/{event}"
Steps = Annotated[list[PatchStep], Body(media_type=JSON_PATCH, max_length=MOST_STEPS)]


@router.patch(
    _PATH,
    response_model=Event,
    responses=answers.problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 422, 428)
    | {200: {"description": "Changed.", **answers.headers("ETag")}},
)
async def amend_event(
    timeline: TimelineSlug, event: EventId, body: EventPatch, write: Write, if_match: IfMatch = None
) -> Response:
    """Change an event.

    The body is a JSON Merge Patch (RFC 7396): `null` clears, what is absent stays. A new date moves the old one to
    `previously`. A reason belongs to the status or date that it was given for: where one of these changes and no
    `status_reason` comes along, the old reason goes. So does a place's name as credited when the place changes.

    Or it is a JSON Patch (RFC 6902, `application/json-patch+json`), for a member of a list or a `test`. Its steps go by
    what clients write of an event, and add `reported_at`, `reason` and `supersede` where these are to be said. They are
    all taken, or none: a step that does not fit what is there, or a `test` that fails, is a 409. What is wrong with the
    event that comes out is named by its place in that.
    """
    patch = MergePatch(body.model_dump(mode="json", exclude_unset=True))
    return await _amend(timeline, event, patch, write, if_match)


# published with the other, whose method and path it shares
@router.patch(_PATH, response_model=Event, include_in_schema=False)
async def amend_event_stepwise(
    timeline: TimelineSlug, event: EventId, body: Steps, write: Write, if_match: IfMatch = None
) -> Response:
    """Change an event step by step."""
    return await _amend(timeline, event, StepwisePatch(body), write, if_match)


async def _amend(timeline: str, event: UUID, amendment: Amendment, write: Writing, if_match: str | None) -> Response:
    async def amend(connection: Connection) -> Response:
        stored = await events.amend_event(connection, timeline, event, amendment, expectation(if_match), write.caller)
        return answers.written(stored)

    return await write.do(amend)
