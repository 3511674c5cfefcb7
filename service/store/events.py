"""Read an event, and write it: create, replace, amend, retire; its claims and links.

Every write locks the present state, compares it with what the writer expects, and goes through
`record_event`; no caller can go round it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, bindparam, case, delete, func, null, select

from service.dates import parse
from service.errors import AlreadyExists, Invalid, NotFound
from service.store.expectation import Expectation
from service.store.failures import removing
from service.store.query import Caller, timeline_id_of
from service.store.record import Stored, new_id, record_event
from service.store.selection import TIMELINE_ID, is_visible
from service.store.statement import Connection, Statement, compiled
from service.tables import event, timeline
from service.wire.document import Draft, body_of
from service.wire.event import MOST_CLAIMS, Claim, ClaimBody, Event, EventBody, EventClaimBody, Link, PlaceBody
from service.wire.merge import amended

_EVENT_ID = bindparam("event_id", type_=event.c.event_id.type)
_IS_EVENT = (event.c.timeline_id == TIMELINE_ID, event.c.event_id == _EVENT_ID)
_KNOWN = bindparam("known_versions", type_=ARRAY(Integer))

READ_EVENT: Statement = compiled(
    select(event.c.version, case((event.c.version == func.any(_KNOWN), null()), else_=event.c.document))
    .join(timeline, timeline.c.timeline_id == event.c.timeline_id)
    .where(*_IS_EVENT, is_visible())
)
# a link to this event may be written meanwhile, or two events could not be linked to each other at once
_LOCK: Statement = compiled(select(event.c.version, event.c.document).where(*_IS_EVENT).with_for_update(key_share=True))
_DELETE: Statement = compiled(delete(event).where(*_IS_EVENT))


async def get_event(
    connection: Connection, timeline_slug: str, event_id: UUID, caller: Caller, *, known: Collection[int] = ()
) -> tuple[int, bytes | None]:
    """Read an event's version and document; no document if it is of those that the caller knows.

    Raises NotFound where there is none that the caller may see.
    """
    cursor = await READ_EVENT.run(
        connection,
        _key(timeline_slug, event_id) | {"sees_private": caller.sees_private, "known_versions": list(known)},
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"no event {event_id} in timeline {timeline_slug!r}")
    return row[0], row[1]


async def create_event(connection: Connection, timeline_slug: str, body: EventBody) -> tuple[UUID, Stored]:
    """Create an event under a new identity."""
    event_id = new_id()
    return event_id, await record_event(connection, Draft(timeline_slug, event_id, body), None)


async def put_event(
    connection: Connection, timeline_slug: str, event_id: UUID, body: EventBody, expected: Expectation
) -> tuple[Stored, bool]:
    """Create an event under the client's identity, or replace it; tell whether it was created.

    Its links stay: they are written by themselves.
    """
    present = await _lock(connection, timeline_slug, event_id)
    if present is None:
        expected.check_absent()
        try:
            return await record_event(connection, Draft(timeline_slug, event_id, body), None), True
        except AlreadyExists:  # another writer was quicker
            present = await _lock(connection, timeline_slug, event_id)
            if present is None:
                raise
    previous = _expect(present, expected)
    draft = Draft(timeline_slug, event_id, body, tuple(previous.links))
    return await record_event(connection, draft, previous), False


async def amend_event(
    connection: Connection, timeline_slug: str, event_id: UUID, patch: dict[str, Any], expected: Expectation
) -> Stored:
    """Change an event by a merge patch (RFC 7396).

    A reason belongs to the status or date that it was given for, and a name as credited to its place: where one
    of these changes and nothing new comes along, the old reason or name goes. Raises InvalidMerge where
    the result is no event.
    """
    previous = await _lock_expected(connection, timeline_slug, event_id, expected)
    before = body_of(previous).model_dump(mode="json")
    body = amended(EventBody, before, patch)
    moves = body.status != previous.status or parse(body.when) != parse(previous.when)
    if moves and "status_reason" not in patch:
        body = body.model_copy(update={"status_reason": None})
    goes_elsewhere = body.place and previous.place and body.place.place != previous.place.place
    if goes_elsewhere and "name" not in patch["place"]:
        body = body.model_copy(update={"place": PlaceBody(place=patch["place"]["place"])})
    return await record_event(connection, Draft(timeline_slug, event_id, body, tuple(previous.links)), previous)


async def retire_event(connection: Connection, timeline_slug: str, event_id: UUID, expected: Expectation) -> None:
    """Delete an event. Raises InUse while other events are linked to it."""
    await _lock_expected(connection, timeline_slug, event_id, expected)
    with removing():
        await _DELETE.run(connection, _key(timeline_slug, event_id))


async def add_claim(
    connection: Connection, timeline_slug: str, event_id: UUID, body: ClaimBody, expected: Expectation
) -> tuple[Claim, Stored]:
    """Add to who says so; it is a new version of the event."""
    previous = await _lock_expected(connection, timeline_slug, event_id, expected, required=False)
    if len(previous.claims) >= MOST_CLAIMS:
        raise Invalid(f"an event holds at most {MOST_CLAIMS} claims", pointer="")
    added = EventClaimBody(id=new_id(), **body.model_dump(exclude_unset=True))
    try:
        stored = await _rewrite(connection, previous, claims=[*body_of(previous).claims, added])
    except Invalid as error:
        # the event calls it one of its claims; this request sent nothing else
        raise Invalid(str(error), pointer="/source") from error
    after = Event.model_validate_json(stored.document)
    return next(one for one in after.claims if one.id == added.id), stored


async def remove_claim(
    connection: Connection, timeline_slug: str, event_id: UUID, claim_id: UUID, expected: Expectation
) -> Stored:
    """Take back who says so; it is a new version of the event. Raises NotFound without such a claim."""
    previous = await _lock_expected(connection, timeline_slug, event_id, expected, required=False)
    claims = body_of(previous).claims
    kept = [one for one in claims if one.id != claim_id]
    if len(kept) == len(claims):
        raise NotFound(f"no claim {claim_id} of event {event_id}")
    return await _rewrite(connection, previous, claims=kept)


async def put_link(
    connection: Connection, timeline_slug: str, event_id: UUID, link: Link, expected: Expectation
) -> tuple[Stored, bool]:
    """Tie an event to another of its timeline; tell whether the link is new.

    Raises NotFound without the other event, Invalid for a link to itself.
    """
    if link.event == event_id:
        raise Invalid("an event is not linked to itself", parameter="other")
    present = await _lock(connection, timeline_slug, event_id)
    if present is None:
        raise _no_event(timeline_slug, event_id)
    previous = _expect(present, expected, required=False)
    if link in previous.links:
        return present, False
    return await _rewrite(connection, previous, links=(*previous.links, link)), True


async def remove_link(
    connection: Connection, timeline_slug: str, event_id: UUID, link: Link, expected: Expectation
) -> Stored:
    """Untie an event from another. Raises NotFound without such a link."""
    previous = await _lock_expected(connection, timeline_slug, event_id, expected, required=False)
    kept = tuple(one for one in previous.links if one != link)
    if len(kept) == len(previous.links):
        raise NotFound(f"no link {link.rel} from event {event_id} to {link.event}")
    return await _rewrite(connection, previous, links=kept)


async def _rewrite(
    connection: Connection,
    previous: Event,
    *,
    claims: list[EventClaimBody] | None = None,
    links: tuple[Link, ...] | None = None,
) -> Stored:
    """Write an event anew with other claims or links; when the world learned of the event stays as it was."""
    body = body_of(previous).model_copy(update={"reported_at": previous.reported_at})
    if claims is not None:
        body = body.model_copy(update={"claims": claims})
    kept = tuple(previous.links) if links is None else links
    return await record_event(connection, Draft(previous.timeline, previous.id, body, kept), previous)


async def _lock(connection: Connection, timeline_slug: str, event_id: UUID) -> Stored | None:
    cursor = await _LOCK.run(connection, _key(timeline_slug, event_id))
    row = await cursor.fetchone()
    return None if row is None else Stored(document=row[1], version=row[0])


def _expect(present: Stored, expected: Expectation, *, required: bool = True) -> Event:
    expected.check_present(present.version, present.document, required=required)
    return Event.model_validate_json(present.document)


async def _lock_expected(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    expected: Expectation,
    *,
    required: bool = True,
) -> Event:
    present = await _lock(connection, timeline_slug, event_id)
    if present is None:
        raise _no_event(timeline_slug, event_id)
    return _expect(present, expected, required=required)


def _key(timeline_slug: str, event_id: UUID) -> dict[str, object]:
    return {"timeline_id": timeline_id_of(timeline_slug), "event_id": event_id}


def _no_event(timeline_slug: str, event_id: UUID) -> NotFound:
    return NotFound(f"no event {event_id} in timeline {timeline_slug!r}")
