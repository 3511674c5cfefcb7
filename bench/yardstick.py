"""The yardstick: the same two answers in the idiomatic way of FastAPI and SQLAlchemy, on the same database.

Entities, relations loaded by `selectinload`, a session a request, answers made by `response_model`. Bounds are
read as text, since the driver knows neither years before 1 nor infinity; that is in the yardstick's favour.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Text, cast, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, column_property, relationship, selectinload

from service.store.migration import sqlalchemy_url
from service.store.query import timeline_id_of
from service.tables import claim, event, event_link, event_participant, event_topic, metadata


class Entity(DeclarativeBase):
    """What all entities have in common."""

    metadata = metadata


class ParticipantEntity(Entity):
    """A participant."""

    __table__ = event_participant
    __mapper_args__ = {"include_properties": ["timeline_id", "event_id", "position", "actor", "name", "role"]}  # noqa: RUF012  # SQLAlchemy's form


class TopicEntity(Entity):
    """A topic."""

    __table__ = event_topic
    __mapper_args__ = {"include_properties": ["timeline_id", "event_id", "position", "topic"]}  # noqa: RUF012  # SQLAlchemy's form


class ClaimEntity(Entity):
    """A claim."""

    __table__ = claim
    __mapper_args__ = {  # noqa: RUF012  # SQLAlchemy's form
        "include_properties": [
            "timeline_id", "event_id", "claim_id", "position", "source", "title", "attributed_to", "quote",
            "asserts_status", "asserts_edtf", "reported_at",
        ]
    }  # fmt: skip


class LinkEntity(Entity):
    """A link."""

    __table__ = event_link


class EventEntity(Entity):
    """An event."""

    __table__ = event
    __mapper_args__ = {  # noqa: RUF012  # SQLAlchemy's form
        "include_properties": [
            "timeline_id", "event_id", "title", "summary", "edtf", "status", "status_reason", "kind", "place",
            "place_name", "version", "reported_at", "recorded_at", "created_at",
            "first_start", "last_start", "first_end", "last_end",
        ]
    }  # fmt: skip
    first_start = column_property(cast(event.c.start_earliest, Text))
    last_start = column_property(cast(event.c.start_latest, Text))
    first_end = column_property(cast(event.c.end_earliest, Text))
    last_end = column_property(cast(event.c.end_latest, Text))
    participants = relationship(ParticipantEntity, order_by=event_participant.c.position, viewonly=True)
    topics = relationship(TopicEntity, order_by=event_topic.c.position, viewonly=True)
    claims = relationship(ClaimEntity, order_by=claim.c.position, viewonly=True)
    links = relationship(
        LinkEntity,
        primaryjoin=(event.c.timeline_id == event_link.c.timeline_id) & (event.c.event_id == event_link.c.event_id),
        foreign_keys=[event_link.c.timeline_id, event_link.c.event_id],
        viewonly=True,
    )


class Answer(BaseModel):
    """What an answer is made of."""

    model_config = ConfigDict(from_attributes=True)


class ParticipantAnswer(Answer):
    """A participant."""

    actor: str
    name: str
    role: str | None


class TopicAnswer(Answer):
    """A topic."""

    topic: str


class ClaimAnswer(Answer):
    """A claim."""

    claim_id: UUID
    source: str
    title: str
    attributed_to: str | None
    quote: str | None
    asserts_status: str | None
    asserts_edtf: str | None
    reported_at: datetime


class LinkAnswer(Answer):
    """A link."""

    rel: str
    other_id: UUID


class EventAnswer(Answer):
    """An event."""

    event_id: UUID
    title: str
    summary: str | None
    edtf: str
    first_start: str
    last_start: str
    first_end: str
    last_end: str
    status: str
    status_reason: str | None
    kind: str
    participants: list[ParticipantAnswer]
    place: str | None
    place_name: str | None
    topics: list[TopicAnswer]
    claims: list[ClaimAnswer]
    links: list[LinkAnswer]
    version: int
    reported_at: datetime
    recorded_at: datetime
    created_at: datetime


class PageAnswer(Answer):
    """A page of events."""

    items: list[EventAnswer]


_PARTS = [
    selectinload(part) for part in (EventEntity.participants, EventEntity.topics, EventEntity.claims, EventEntity.links)
]
_engine = create_async_engine(
    sqlalchemy_url(os.environ["YARDSTICK_URL"]), pool_size=8, connect_args={"options": "-c TimeZone=UTC -c jit=off"}
)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)
app = FastAPI()


async def session() -> AsyncIterator[AsyncSession]:
    """Open a session for a request."""
    async with _sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


@app.get("/v1/timelines/{timeline}/events", response_model=PageAnswer)
async def list_events(opened: Session, timeline: str, after: datetime, event: UUID, limit: int = 50) -> dict[str, Any]:
    """Answer with the page that follows an event."""
    rows = EventEntity.__table__.c
    statement = (
        select(EventEntity)
        .where(
            rows.timeline_id == timeline_id_of(timeline), tuple_(rows.start_earliest, rows.event_id) > (after, event)
        )
        .order_by(rows.start_earliest, rows.event_id)
        .limit(limit)
        .options(*_PARTS)
    )
    return {"items": (await opened.scalars(statement)).all()}


@app.get("/v1/timelines/{timeline}/events/{event}", response_model=EventAnswer)
async def get_event(opened: Session, timeline: str, event: UUID) -> EventEntity:
    """Answer with one event."""
    found = await opened.get(EventEntity, (timeline_id_of(timeline), event), options=_PARTS)
    if found is None:
        raise HTTPException(404)
    return found
