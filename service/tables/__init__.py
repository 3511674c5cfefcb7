"""Columns and constraints, and nothing else."""

from service.tables.audit import audit_entry
from service.tables.directory import actor, actor_alias, place, signing_key, source, timeline
from service.tables.event import (
    REACH_DAYS,
    REACHES,
    RELS,
    STATUSES,
    UNDECIDED,
    claim,
    event,
    event_link,
    event_participant,
    event_topic,
)
from service.tables.histogram import histogram, histogram_change
from service.tables.history import OPERATIONS, change, event_state, feed, feed_floor, state_facet
from service.tables.idempotency import kept_answer
from service.tables.key import SCOPES, api_key
from service.tables.metadata import SLUG, metadata
from service.tables.webhook import DELIVERY_STATES, webhook, webhook_delivery, webhook_secret

__all__ = [
    "DELIVERY_STATES",
    "OPERATIONS",
    "REACHES",
    "REACH_DAYS",
    "RELS",
    "SCOPES",
    "SLUG",
    "STATUSES",
    "UNDECIDED",
    "actor",
    "actor_alias",
    "api_key",
    "audit_entry",
    "change",
    "claim",
    "event",
    "event_link",
    "event_participant",
    "event_state",
    "event_topic",
    "feed",
    "feed_floor",
    "histogram",
    "histogram_change",
    "kept_answer",
    "metadata",
    "place",
    "signing_key",
    "source",
    "state_facet",
    "timeline",
    "webhook",
    "webhook_delivery",
    "webhook_secret",
]
