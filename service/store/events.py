"""Read an event, and write it: create, replace, amend, retire; its claims and links.

Every write locks the present state, compares it with what the writer expects, and goes through
`record_event`; no caller can go round it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Integer, Table, and_, bindparam, case, func, null, select

from service.dates import format_instant, parse, parse_instant
from service.errors import Gone, Invalid, NotFound
from service.store.adapters import At
from service.store.expectation import Expectation
from service.store.query import Caller, timeline_id_of
from service.store.record import Report, Stored, new_id, record_event, record_tombstone, standing
from service.store.selection import KNOWN_AT, is_event, is_visible
from service.store.statement import Connection, Statement, compiled
from service.store.states import Identity, lock_identity, read_document
from service.tables import event, event_state, timeline
from service.wire.amendment import Amendment
from service.wire.document import OF_THE_WRITE, Draft, body_of
from service.wire.event import (
    MOST_CLAIMS,
    Claim,
    ClaimBody,
    Event,
    EventBody,
    EventClaimBody,
    Link,
    PlaceBody,
)
from service.wire.shape import document_shape

_KNOWN = bindparam("known_versions", type_=ARRAY(Integer))
_SHAPE = bindparam("document_shape", type_=event.c.shape.type)


def _unless_known(rows: Table) -> ColumnElement[Any]:
    """Give the document, unless the reader knows this version of it in the present shape."""
    is_known = and_(rows.c.version == func.any(_KNOWN), rows.c.shape == _SHAPE)
    return case((is_known, null()), else_=rows.c.document)


READ_EVENT: Statement = compiled(
    select(event.c.version, event.c.shape, _unless_known(event))
    .join(timeline, timeline.c.timeline_id == event.c.timeline_id)
    .where(*is_event(event), is_visible())
)


def _read_state(moment: ColumnElement[bool]) -> Statement:
    """Read the state of a moment, a tombstone too: one statement decides what is there and what was deleted."""
    return compiled(
        select(
            event_state.c.version,
            event_state.c.shape,
            _unless_known(event_state),
            event_state.c.document.is_(None),
            event_state.c.reported_at,
            event_state.c.author,
            event_state.c.reason,
        )
        .join(timeline, timeline.c.timeline_id == event_state.c.timeline_id)
        .where(*is_event(event_state), is_visible(), moment)
    )


_READ_STATE = _read_state(func.upper_inf(event_state.c.known))
_READ_STATE_PAST = _read_state(event_state.c.known.op("@>")(KNOWN_AT))


@dataclass(frozen=True, slots=True)
class Found:
    """An event that was read: its version, and its document (UTF-8 JSON) as it is stored, with the shape of that."""

    version: int
    shape: int
    document: bytes | None


async def get_event(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    caller: Caller,
    *,
    known: Collection[int] = (),
    known_at: int | None = None,
) -> Found:
    """Read an event; its document is left out if it has the present shape and a version that the caller knows.

    With `known_at`, as it was known at that instant. Raises NotFound where there is none that the caller may see,
    Gone where it had been deleted.
    """
    values = (
        _key(timeline_slug, event_id)
        | caller.sight
        | {
            "known_versions": list(known),
            "document_shape": document_shape(),
        }
    )
    if known_at is None:
        row = await (await READ_EVENT.run(connection, values)).fetchone()
        if row is not None:
            return Found(*row)
        # what is not there now may come back before the next statement, which asks for all of it anew
        cursor = await _READ_STATE.run(connection, values)
    else:
        cursor = await _READ_STATE_PAST.run(connection, values | {"known_at": At(known_at)})
    row = await cursor.fetchone()
    if row is None:
        raise _no_event(timeline_slug, event_id)
    version, shape, document, is_deleted, *said = row
    if is_deleted:
        raise _gone(event_id, *said)
    return Found(version, shape, document)


async def create_event(
    connection: Connection, timeline_slug: str, body: EventBody, caller: Caller
) -> tuple[UUID, Stored]:
    """Create an event under a new identity."""
    event_id = new_id()
    identity = Identity(event_id, (), newest=0)
    draft = Draft(timeline_slug, event_id, body)
    return event_id, await record_event(connection, draft, identity, report_of(body, caller))


async def put_event(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    body: EventBody,
    expected: Expectation,
    caller: Caller,
) -> tuple[Stored, bool]:
    """Create an event under the client's identity, revive or replace it; tell whether it was not there.

    Its links stay: they are written by themselves.
    """
    identity = await lock_identity(connection, timeline_slug, event_id)
    present = identity.present
    links: tuple[Link, ...] = ()
    if present is None or present.document is None:
        expected.check_absent()
    else:
        expected.check_present(present.version, present.document, shape=document_shape())
        links = tuple(Event.model_validate_json(present.document).links)
    draft = Draft(timeline_slug, event_id, body, links)
    stored = await record_event(connection, draft, identity, report_of(body, caller))
    return stored, present is None or present.document is None


async def amend_event(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    amendment: Amendment,
    expected: Expectation,
    caller: Caller,
) -> Stored:
    """Change an event; a change that reports the past changes what was known then.

    A reason belongs to the status or date that it was given for, and a name as credited to its place: where one
    of these changes and nothing new comes along, the old reason or name goes. What changes nothing, and gives no
    reason or other time, is not written. Raises InvalidMerge where the result is no event, PatchConflict where a step
    does not fit what is there.
    """
    identity, present = await _lock_expected(connection, timeline_slug, event_id, expected)
    at = None if amendment.reported_at is None else parse_instant(amendment.reported_at)
    base = identity.at(at)
    past = None if base is None else await read_document(connection, timeline_slug, event_id, base)
    if base is None or past is None:
        raise Invalid("the event was deleted at that time", pointer="/reported_at")
    former = Event.model_validate_json(past)
    if at is not None and at < base.start:  # before all that was known: what was claimed since had not been said
        said = [one for one in former.claims if parse_instant(one.reported_at) <= at]
        former = former.model_copy(update={"claims": said})
    before = body_of(former).model_dump(mode="json", exclude=set(OF_THE_WRITE))
    body = amendment.apply(EventBody, before)
    if body.reported_at != amendment.reported_at:
        raise Invalid("is said by a step that adds it", pointer="/reported_at")
    moves = body.status != former.status or parse(body.when) != parse(former.when)
    if moves and not amendment.says("status_reason"):
        body = body.model_copy(update={"status_reason": None})
    goes_elsewhere = body.place and former.place and body.place.place != former.place.place
    if body.place and goes_elsewhere and not amendment.says("place", "name"):
        body = body.model_copy(update={"place": PlaceBody(place=body.place.place)})
    # links are no reports: those that stand are kept by what is now the present
    draft = Draft(timeline_slug, event_id, body, tuple(present.links if body.supersede else former.links))
    # a reason that was given before is not one for this change
    reason = body.reason or (body.status_reason if amendment.says("status_reason") else None)
    ends_others = body.supersede and base is not identity.present
    is_news = bool(body.reason) or ends_others or at not in (None, base.start)
    report = replace(report_of(body, caller), reason=reason, is_news=is_news)
    return await record_event(connection, draft, identity, report)


async def retire_event(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    expected: Expectation,
    caller: Caller,
    *,
    reason: str | None = None,
) -> None:
    """Delete an event and leave a tombstone. Raises InUse while other events are linked to it."""
    identity, _ = await _lock_expected(connection, timeline_slug, event_id, expected)
    await record_tombstone(connection, timeline_slug, identity, Report(caller.name, reason=reason))


async def add_claim(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    body: ClaimBody,
    expected: Expectation,
    caller: Caller,
) -> tuple[Claim, Stored]:
    """Add to who says so; it is a new state of the event, from when it was said or the present state began."""
    identity, present = await _lock_expected(connection, timeline_slug, event_id, expected, required=False)
    if len(present.claims) >= MOST_CLAIMS:
        raise Invalid(f"an event holds at most {MOST_CLAIMS} claims", pointer="")
    added = EventClaimBody(id=new_id(), **body.model_dump(exclude_unset=True))
    claims = [*body_of(present).claims, added]
    said = None if body.reported_at is None else max(parse_instant(body.reported_at), _start(identity))
    report = Report(caller.name, at=said)
    try:
        stored = await _rewrite(connection, identity, present, report, claims=claims)
    except Invalid as error:
        # the event calls it one of its claims; this request sent nothing else
        pointer = "/source" if (error.pointer or "").startswith("/claims") else error.pointer
        raise Invalid(str(error), pointer=pointer) from error
    after = Event.model_validate_json(stored.document)
    return next(one for one in after.claims if one.id == added.id), stored


async def remove_claim(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    claim_id: UUID,
    expected: Expectation,
    caller: Caller,
) -> Stored:
    """Take back who says so; it is a new state of the event. Raises NotFound without such a claim."""
    identity, present = await _lock_expected(connection, timeline_slug, event_id, expected, required=False)
    claims = body_of(present).claims
    kept = [one for one in claims if one.id != claim_id]
    if len(kept) == len(claims):
        raise NotFound(f"no claim {claim_id} of event {event_id}")
    return await _rewrite(connection, identity, present, Report(caller.name), claims=kept)


async def put_link(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    link: Link,
    expected: Expectation,
    caller: Caller,
) -> tuple[Stored, bool]:
    """Tie an event to another of its timeline; tell whether the link is new.

    A link is no report of the world's: it holds from when the present state began. Raises NotFound without the
    other event, Invalid for a link to itself.
    """
    if link.event == event_id:
        raise Invalid("an event is not linked to itself", parameter="other")
    identity, present = await _lock_expected(connection, timeline_slug, event_id, expected, required=False)
    if link in present.links:
        return standing(identity), False
    report = Report(caller.name, at=_start(identity))
    return await _rewrite(connection, identity, present, report, links=(*present.links, link)), True


async def remove_link(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    link: Link,
    expected: Expectation,
    caller: Caller,
) -> Stored:
    """Untie an event from another. Raises NotFound without such a link."""
    identity, present = await _lock_expected(connection, timeline_slug, event_id, expected, required=False)
    kept = tuple(one for one in present.links if one != link)
    if len(kept) == len(present.links):
        raise NotFound(f"no link {link.rel} from event {event_id} to {link.event}")
    return await _rewrite(connection, identity, present, Report(caller.name, at=_start(identity)), links=kept)


async def _rewrite(
    connection: Connection,
    identity: Identity,
    present: Event,
    report: Report,
    *,
    claims: list[EventClaimBody] | None = None,
    links: tuple[Link, ...] | None = None,
) -> Stored:
    """Write an event anew with other claims or links; when the world learned of the event stays as it was."""
    body = body_of(present).model_copy(update={"reported_at": present.reported_at})
    if claims is not None:
        body = body.model_copy(update={"claims": claims})
    kept = tuple(present.links) if links is None else links
    return await record_event(connection, Draft(present.timeline, present.id, body, kept), identity, report)


def report_of(body: EventBody, caller: Caller) -> Report:
    """Say what a client's write says of itself."""
    at = None if body.reported_at is None else parse_instant(body.reported_at)
    return Report(caller.name, at, body.reason or body.status_reason, body.supersede)


def _start(identity: Identity) -> int:
    """Give when the present state began to be known."""
    assert identity.present is not None  # noqa: S101  # the caller has seen it
    return identity.present.start


async def _lock_expected(
    connection: Connection,
    timeline_slug: str,
    event_id: UUID,
    expected: Expectation,
    *,
    required: bool = True,
) -> tuple[Identity, Event]:
    """Lock an event that is there, and compare it with what the writer expects. Raises NotFound, Gone, and others."""
    identity = await lock_identity(connection, timeline_slug, event_id)
    present = identity.present
    if present is None:
        raise _no_event(timeline_slug, event_id)
    if present.document is None:
        raise _gone(event_id, present.start, present.author, present.reason)
    expected.check_present(present.version, present.document, shape=document_shape(), required=required)
    return identity, Event.model_validate_json(present.document)


def _gone(event_id: UUID, since: int, author: str, reason: str | None) -> Gone:
    """Say that an event was deleted, when, by whom and why."""
    why = f": {reason}" if reason else ""
    return Gone(f"event {event_id} was deleted at {format_instant(since)} by {author}{why}")


def _key(timeline_slug: str, event_id: UUID) -> dict[str, object]:
    return {"timeline_id": timeline_id_of(timeline_slug), "event_id": event_id}


def _no_event(timeline_slug: str, event_id: UUID) -> NotFound:
    return NotFound(f"no event {event_id} in timeline {timeline_slug!r}")
