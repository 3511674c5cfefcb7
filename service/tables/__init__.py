"""Columns and constraints, and nothing else."""

from service.tables.directory import actor, actor_alias, place, signing_key, source, timeline
from service.tables.event import RELS, STATUSES, claim, event, event_link, event_participant, event_topic
from service.tables.history import OPERATIONS, change, event_state, feed, feed_floor
from service.tables.metadata import SLUG, metadata

__all__ = [
    "OPERATIONS",
    "RELS",
    "SLUG",
    "STATUSES",
    "actor",
    "actor_alias",
    "change",
    "claim",
    "event",
    "event_link",
    "event_participant",
    "event_state",
    "event_topic",
    "feed",
    "feed_floor",
    "metadata",
    "place",
    "signing_key",
    "source",
    "timeline",
]
