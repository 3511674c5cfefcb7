"""The published document's examples of webhooks: of one that was told of the meeting in the seeded timeline."""

from __future__ import annotations

from service.api.exchange import Exchange
from service.api.specimens import Json

# What names things in the examples' paths.
WEBHOOK_ID = "019ab5a2-3c00-7d10-8f4e-5b1d2c3a4e01"
SECRET_ID = "019ab5a2-3c01-7c42-9e55-0a1b2c3d4e02"  # noqa: S105  # it names one
DELIVERY_ID = "6f1c9b1e-6f0e-5d38-9a5c-3f1d0c7b2a03"
# The secret that took the other's place.
NEWEST_SECRET_ID = "019ab5a2-3c02-7b93-8c21-9f8e7d6c5b03"  # noqa: S105  # it names one

_RECORDED = "2026-11-24T09:00:00.25Z"
_ENDS = "2126-11-25T09:00:00Z"
_TRIED = "2026-11-24T09:00:01Z"
_CURSOR = "5pdcvdTFRqWU9wXx6vZc8gAAAAEAAAAAAAADGgAAAAAAAAAlHZ1m2R2H7m5e0yF8bYkW8Q"
_SHOWN = "whsec_fcUMRfTl1UdaPXPMdBdW5HrCP28Cu1eDUdm2B/WyDrs="
_OPERATIONS = ["created", "amended", "deleted", "revived", "purged"]
_NO_FILTER: Json = {name: [] for name in ("status", "kind", "actor", "place", "topic", "source")}

OLD_SECRET: Json = {"id": SECRET_ID, "created_at": _RECORDED, "expires_at": _ENDS}
NEWEST_SECRET: Json = {"id": NEWEST_SECRET_ID, "created_at": _RECORDED, "expires_at": None}
WEBHOOK: Json = {
    "id": WEBHOOK_ID,
    "timeline": "syria-2013",
    "url": "https://receiver.example/hooks/dateline",
    "description": "The newsroom's board",
    "operations": _OPERATIONS,
    "filter": _NO_FILTER | {"kind": ["meeting"]},
    "enabled": True,
    "disabled_reason": None,
    "secrets": [OLD_SECRET, NEWEST_SECRET],
    "version": 1,
    "created_at": _RECORDED,
}
DELIVERY: Json = {
    "id": DELIVERY_ID,
    "cursor": _CURSOR,
    "operation": "created",
    "event": "4def6a9b-b88d-5d37-8fc0-e2d2abbca673",
    "version": 1,
    "recorded_at": _RECORDED,
    "state": "dead",
    "tries": 10,
    "tried_at": _TRIED,
    "due_at": None,
    "settled_at": _TRIED,
    "status": 500,
    "error": "answered 500",
}
_BODY: Json = {
    "url": WEBHOOK["url"],
    "description": WEBHOOK["description"],
    "filter": {"kind": ["meeting"]},
}
_MADE: Json = WEBHOOK | {"secrets": [NEWEST_SECRET], "secret": _SHOWN}
_FIRST = {"If-Match": '"1"'}

EXCHANGES: tuple[Exchange, ...] = (
    Exchange("list_webhooks", 200, "All", {"items": [WEBHOOK], "next": None}),
    Exchange("create_webhook", 201, "What happens to meetings", _MADE, body=_BODY),
    Exchange("get_webhook", 200, "What happens to meetings", WEBHOOK),
    Exchange("get_webhook", 304, "You hold it already", headers={"If-None-Match": '"1"'}),
    Exchange(
        "amend_webhook", 200, "For a while, nothing is sent",
        WEBHOOK | {"version": 2, "enabled": False, "disabled_reason": "disabled on request"},
        headers=_FIRST, body={"enabled": False},
    ),
    Exchange("delete_webhook", 204, "Removed", headers=_FIRST),
    Exchange(
        "create_secret", 201, "The one before signs for an hour more", NEWEST_SECRET | {"secret": _SHOWN},
        body={"grace_seconds": 3600},
    ),
    Exchange("delete_secret", 204, "It signs no more"),
    Exchange(
        "list_deliveries", 200, "What was given up", {"items": [DELIVERY], "next": None, "reached": _CURSOR},
        query={"state": "dead"},
    ),
    Exchange(
        "create_retry", 202, "It is sent again",
        DELIVERY | {"state": "pending", "tries": 0, "due_at": _TRIED, "settled_at": None},
    ),
    Exchange("create_replay", 202, "From the feed's beginning", WEBHOOK, body={"after": None}),
)  # fmt: skip
