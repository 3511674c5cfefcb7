"""The examples of the published document: requests as they are sent to the seeded timeline, and its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi.sse import format_sse_event

from service.api import answers, event_stream, key_examples, metrics, representation_examples, webhook_examples
from service.api.exchange import Exchange
from service.api.specimens import (
    ACTOR,
    CALLED_OFF,
    CHANGES,
    CLAIM_BODY,
    COMPARISON,
    CURSORS,
    DATE,
    EVENT,
    EVENT_BODY,
    HISTOGRAM,
    OUTCOMES,
    PLACE,
    PLAN,
    PLANNED,
    RECORDED,
    REPORTED,
    SOURCE,
    STATES,
    TIMELINE,
    VISIT,
    VISIT_BODY,
    WHY,
    Json,
    written,
)
from service.api.strict import JSON_PATCH
from service.dates import parse_window
from service.formats import csv, ndjson
from service.wire.comparison import HEADINGS, Comparison, Summary


def _page(*items: Json, **members: object) -> Json:
    return {"items": list(items), "next": None, **members}


def _done(status: int, document: Json) -> Json:
    """Say that an operation of a batch was done."""
    named = {"event": document["id"], "version": document["version"], "document": document}
    return {"status": status, **named, "problem": None}


def _lines(*items: Json) -> str:
    return "".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n" for item in items)


def _messages(*items: Json) -> str:
    """Write an event stream, from its first message, which says where it begins, to a sign of life."""
    first, last = CURSORS[0], items[-1]["cursor"]
    messages = [
        format_sse_event(data_str=_lines(one).rstrip("\n"), event=one["operation"], id=one["cursor"]) for one in items
    ]
    ends = format_sse_event(retry=2718, id=first), format_sse_event(comment="here", id=last)
    return b"".join([ends[0], *messages, ends[1]]).decode()


def _told(comparison: Comparison) -> str:
    summary = Summary(comparison.from_, comparison.to)
    return summary.beginning + "".join(summary.part(kind, getattr(comparison, kind)) for kind in HEADINGS)


_ANOTHER = "6a1f9f3e-2c5b-4d53-9d2b-8f0a7b1c2d3e"
_FIGURES = """\
# HELP dateline_http_requests_in_flight Requests that are being answered, open streams among them.
# TYPE dateline_http_requests_in_flight gauge
dateline_http_requests_in_flight 1.0
# HELP dateline_pool_waiting_requests Requests that wait for a connection to the database.
# TYPE dateline_pool_waiting_requests gauge
dateline_pool_waiting_requests 0.0
# HELP dateline_feed_open_streams Open streams of changes.
# TYPE dateline_feed_open_streams gauge
dateline_feed_open_streams 0.0
# HELP dateline_feed_lag_seconds Age of the oldest change that followers cannot read yet.
# TYPE dateline_feed_lag_seconds gauge
dateline_feed_lag_seconds 0.0
# HELP dateline_feed_changes_behind_horizon Changes that followers cannot read yet.
# TYPE dateline_feed_changes_behind_horizon gauge
dateline_feed_changes_behind_horizon 0.0
# HELP dateline_webhook_pending_messages Messages to be sent, or tried again, to webhooks that are enabled.
# TYPE dateline_webhook_pending_messages gauge
dateline_webhook_pending_messages 0.0
# HELP dateline_webhook_due_messages Those of them whose time has come.
# TYPE dateline_webhook_due_messages gauge
dateline_webhook_due_messages 0.0
# HELP dateline_webhook_dead_messages Messages that were given up, as long as they are kept.
# TYPE dateline_webhook_dead_messages gauge
dateline_webhook_dead_messages 1.0
# HELP dateline_webhook_oldest_pending_seconds Age of the oldest change that an enabled webhook was not sent yet.
# TYPE dateline_webhook_oldest_pending_seconds gauge
dateline_webhook_oldest_pending_seconds 0.0
# HELP dateline_webhooks_disabled Webhooks that nothing is sent to.
# TYPE dateline_webhooks_disabled gauge
dateline_webhooks_disabled 0.0
# HELP dateline_database_up Whether the database answered when it was asked for figures.
# TYPE dateline_database_up gauge
dateline_database_up 1.0
"""

_IMPORTED: Json = {"created": 1, "amended": 0, "unchanged": 0, "deleted": 0, "refused": 0, "errors": []}
_FIRST = {"If-Match": '"1"'}
_SECOND = {"If-Match": '"2"'}
_HELD = {"If-None-Match": '"1"'}
_CERTAINLY = {"datetime": "2013-02-25", "relation": "within", "certainty": "certain", "status": "cancelled"}
_ALI_HAIDER = {"actor": "ali-haider"}

EXCHANGES: tuple[Exchange, ...] = (
    Exchange(
        "list_events", 200, "What was cancelled of 25 February 2013", _page(EVENT, count=1),
        query=_CERTAINLY | {"count": "exact"},
        texts=representation_examples.written(
            TIMELINE, "/v1/timelines/syria-2013/events", _CERTAINLY, parse_window("2013-02-25")
        ),
    ),
    Exchange(
        "list_events_everywhere", 200, "What Ali Haider was to take part in", _page(EVENT, count=None),
        query=_ALI_HAIDER, texts=representation_examples.written(None, "/v1/events", _ALI_HAIDER),
    ),
    Exchange(
        "get_histogram", 200, "What is on in Moscow at the end of February 2013, day by day", HISTOGRAM,
        query={"by": "day", "datetime": "2013-02-24/2013-02-28", "place": "moscow"},
    ),
    Exchange("create_event", 201, "A planned visit", VISIT, body=VISIT_BODY),
    Exchange("get_event", 200, "The meeting that was called off", EVENT),
    Exchange("get_event", 304, "You hold it already", headers={"If-None-Match": '"2"'}),
    Exchange(
        "put_event", 201, "Created under an identity of your own",
        EVENT | {"links": [], "version": 3, "created_at": RECORDED},
        headers={"If-None-Match": "*"}, body=EVENT_BODY,
    ),
    Exchange("put_event", 200, "Replaced", EVENT | {"version": 3}, headers=_SECOND, body=EVENT_BODY),
    Exchange(
        "amend_event", 200, "It is called off", EVENT | {"version": 3},
        headers=_SECOND,
        body={"status": "cancelled", "status_reason": WHY, "reported_at": REPORTED, "reason": "Read in the article."},
    ),
    Exchange(
        "amend_event", 200, "It is called off, step by step", EVENT | {"version": 3},
        headers=_SECOND | {"Content-Type": JSON_PATCH},
        body=[
            {"op": "test", "path": "/when", "value": "2013-02-25"},
            {"op": "replace", "path": "/status", "value": "cancelled"},
            {"op": "replace", "path": "/status_reason", "value": WHY},
            {"op": "add", "path": "/reported_at", "value": REPORTED},
            {"op": "add", "path": "/reason", "value": "Read in the article."},
        ],
    ),
    Exchange(
        "create_batch", 200, "One is called off, another planned",
        {
            "items": [
                _done(200, EVENT | {"version": 3}),
                _done(201, VISIT | {"id": _ANOTHER}),
            ]
        },
        body={
            "operations": [
                {
                    "operation": "amend", "event": EVENT["id"], "if_match": 2,
                    "patch": {
                        "status": "cancelled", "status_reason": WHY, "reported_at": REPORTED,
                        "reason": "Read in the article.",
                    },
                },
                {"operation": "put", "event": _ANOTHER, "body": VISIT_BODY},
            ]
        },
    ),
    Exchange(
        "create_import", 200, "A planned visit, as a line of JSON", _IMPORTED,
        headers={"Content-Type": ndjson.MEDIA_TYPE}, body=_lines({"key": "visit-1", **VISIT_BODY}),
    ),
    Exchange(
        "create_import", 200, "The same as a table", _IMPORTED,
        headers={"Content-Type": csv.MEDIA_TYPE},
        body="key,title,when,status,kind,participants,place,topics\r\n"
        "visit-2,Brahimi is to head for Moscow,2013-02-21,planned,visit,lakhdar-brahimi==visitor,moscow,"
        "un-mediation\r\n",
    ),
    Exchange("delete_event", 204, "Deleted", headers=_SECOND),
    Exchange("list_claims", 200, "That it was planned, and that it was called off", {"items": [PLANNED, CALLED_OFF]}),
    Exchange(
        "create_claim", 201, "That it was called off",
        CALLED_OFF | {"id": "019b5d1c-7c03-7d08-a1b2-6c9f3d7e1b28"}, body=CLAIM_BODY,
    ),
    Exchange("get_claim", 200, "That it was planned", PLANNED),
    Exchange("delete_claim", 204, "Taken back"),
    Exchange("put_link", 200, "It is there already", EVENT),
    Exchange("put_link", 201, "Tied anew, after it was untied", EVENT | {"version": 4}),
    Exchange("delete_link", 204, "Untied"),
    Exchange("list_history", 200, "It was planned, and was called off", _page(*STATES)),
    Exchange(
        "compare_timeline", 200, "What five days brought", COMPARISON, query={"from": "2013-02-15", "to": "2013-02-20"},
        texts={answers.TEXT: _told(Comparison.model_validate(COMPARISON))}, is_excerpt=True,
    ),
    Exchange(
        "list_plans", 200, "What is planned, some of it once for another date", _page(PLAN, outcomes=OUTCOMES),
        query={"state": "open"}, is_excerpt=True,
    ),
    Exchange(
        "list_changes", 200, "What was written of Ali Haider's plans",
        {"items": CHANGES, "latest": CURSORS[3], "oldest": CURSORS[0], "next": None},
        query={"actor": "ali-haider"}, texts={event_stream.MEDIA_TYPE: _messages(*CHANGES)},
    ),
    Exchange("list_timelines", 200, "All", _page(TIMELINE)),
    Exchange(
        "create_timeline", 201, "A story to follow", TIMELINE, body=written(TIMELINE, "version", "created_at")
    ),
    Exchange("get_timeline", 200, "The seeded one", TIMELINE),
    Exchange("get_timeline", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_timeline", 200, "Without a description", TIMELINE | {"version": 2, "description": None},
        headers=_FIRST, body={"description": None},
    ),
    Exchange("delete_timeline", 204, "Removed", headers=_FIRST),
    Exchange("list_actors", 200, "Whom someone calls Kerry", _page(ACTOR), query={"name": "Kerry"}),
    Exchange("create_actor", 201, "A person", ACTOR, body=ACTOR),
    Exchange("get_actor", 200, "A person", ACTOR),
    Exchange("get_actor", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_actor", 200, "One more alias", ACTOR | {"aliases": ["Kerry", "John F. Kerry"]},
        headers=_FIRST, body={"aliases": ["Kerry", "John F. Kerry"]},
    ),
    Exchange("delete_actor", 204, "Removed", headers=_FIRST),
    Exchange("list_places", 200, "What is called Moscow", _page(PLACE), query={"name": "Moscow"}),
    Exchange("create_place", 201, "A city", PLACE, body=PLACE),
    Exchange("get_place", 200, "A city", PLACE),
    Exchange("get_place", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_place", 200, "Without coordinates", PLACE | {"latitude": None, "longitude": None},
        headers=_FIRST, body={"latitude": None, "longitude": None},
    ),
    Exchange("delete_place", 204, "Removed", headers=_FIRST),
    Exchange("list_sources", 200, "All", _page(SOURCE)),
    Exchange("create_source", 201, "An article", SOURCE, body=written(SOURCE)),
    Exchange("get_source", 200, "An article", SOURCE),
    Exchange("get_source", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_source", 200, "When it was published", SOURCE,
        headers=_FIRST, body={"published": "2013-02-20"},
    ),
    Exchange("delete_source", 204, "Removed", headers=_FIRST),
    Exchange("explain_date", 200, "At the end of February 2013", DATE, query={"edtf": "[2013-02-24..2013-02-28]"}),
    Exchange("get_liveness", 200, "It lives", {"status": "ok"}),
    Exchange("get_readiness", 200, "It is ready", {"status": "ok"}),
    Exchange("get_metrics", 200, "Nobody is behind", texts={metrics.MEDIA_TYPE: _FIGURES}, is_excerpt=True),
    *webhook_examples.EXCHANGES,
    *key_examples.EXCHANGES,
)  # fmt: skip

# What stands in a path in the examples, where the parameter itself does not say.
SLUGS: Mapping[str, str] = {
    "/v1/timelines/{slug}": TIMELINE["slug"],
    "/v1/actors/{slug}": ACTOR["slug"],
    "/v1/places/{slug}": PLACE["slug"],
    "/v1/sources/{slug}": SOURCE["slug"],
}
REQUEST_ID = "019b5d1c7c047c3e8c1a0f4d1b7a9e52"
