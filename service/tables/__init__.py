"""Columns and constraints, and nothing else."""

from service.tables.directory import actor, actor_alias, place, signing_key, source, timeline
from service.tables.event import (
    REACH_DAYS,
    REACHES,
    RELS,
    STATUSES,
    claim,
    event,
    event_link,
    event_participant,
    event_topic,
)
from service.tables.metadata import SLUG, metadata

__all__ = [
    "REACHES",
    "REACH_DAYS",
    "RELS",
    "SLUG",
    "STATUSES",
    "actor",
    "actor_alias",
    "claim",
    "event",
    "event_link",
    "event_participant",
    "event_topic",
    "metadata",
    "place",
    "signing_key",
    "source",
    "timeline",
]
