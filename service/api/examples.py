"""The examples of the published document, each once: requests as they are sent to the seeded timeline, and its answers.

They are what the seed file makes, identities included; only `recorded_at` and `created_at` are each store's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.api import webhook_examples
from service.api.exchange import Exchange, Json

RECORDED = "2026-11-24T09:00:00.25Z"
REPORTED = "2013-02-20T00:00:00Z"

TIMELINE: Json = {
    "slug": "syria-2013",
    "title": "Russia, the United States and Syria, early 2013",
    "description": "What an article of 20 February 2013 reports of the moves towards a political solution in Syria: "
    "what had happened, what was planned, what was called off, what was going on, and what was expected not to happen.",
    "visibility": "public",
    "version": 1,
    "created_at": RECORDED,
}
ACTOR: Json = {
    "slug": "john-kerry",
    "name": "John Kerry",
    "kind": "person",
    "aliases": ["Kerry"],
    "same_as": ["https://www.wikidata.org/wiki/Q22316"],
}
PLACE: Json = {
    "slug": "moscow",
    "name": "Moscow",
    "country": "RU",
    "latitude": 55.7558,
    "longitude": 37.6173,
    "same_as": ["https://www.wikidata.org/wiki/Q649"],
}
SOURCE: Json = {
    "slug": "ballout-2013-02-20",
    "title": "Russia-US Rapprochement on Syria",
    "publisher": None,
    "author": "Mohammad Ballout",
    "url": None,
    "published": "2013-02-20",
    "language": "en",
}
_PLANNED: Json = {
    "id": "585231d0-9e3c-5db6-9783-6ee0691d109b",
    "source": "ballout-2013-02-20",
    "title": "Russia-US Rapprochement on Syria",
    "attributed_to": None,
    "quote": "The meeting was set to be held in Feb. 25 in Moscow",
    "asserts": {"status": "planned", "when": "2013-02-25"},
    "reported_at": REPORTED,
}
_CALLED_OFF: Json = {
    "id": "1f0375dd-0f0e-5146-8e1d-f1ecd601d555",
    "source": "ballout-2013-02-20",
    "title": "Russia-US Rapprochement on Syria",
    "attributed_to": None,
    "quote": "The Russians broke a promise",
    "asserts": {"status": "cancelled", "when": None},
    "reported_at": REPORTED,
}
_DAY_BOUNDS: Json = {
    "start": {"earliest": "2013-02-25T00:00:00Z", "latest": "2013-02-25T23:59:59.999999Z"},
    "end": {"earliest": "2013-02-25T00:00:00.000001Z", "latest": "2013-02-26T00:00:00Z"},
}
_PROMISE = "b307172c-4282-5f64-bcbd-97c3f3a2e77a"
_WHY = "The Russians could not persuade the Syrian officials to release Abdul-Aziz al-Khair."
# The meeting of 25 February that was called off: the event that most examples are about.
EVENT: Json = {
    "id": "4def6a9b-b88d-5d37-8fc0-e2d2abbca673",
    "timeline": "syria-2013",
    "title": "First direct meeting of a Syrian minister and the National Coordination Committee",
    "summary": "Ali Haider, Minister of National Reconciliation, was to meet officials of the National Coordination "
    "Committee, among them Haytham Manna and Abdul-Aziz al-Khair, sponsored by the Russian Foreign Ministry.",
    "when": "2013-02-25",
    "precision": "day",
    "approximate": False,
    "uncertain": False,
    "bounds": _DAY_BOUNDS,
    "status": "cancelled",
    "status_reason": _WHY,
    "previously": [],
    "kind": "meeting",
    "participants": [
        {"actor": "ali-haider", "name": "Ali Haider", "role": "Minister of National Reconciliation"},
        {
            "actor": "national-coordination-committee",
            "name": "National Coordination Committee",
            "role": "delegation",
        },
        {
            "actor": "haytham-manna",
            "name": "Haytham Manna",
            "role": "head of the National Coordination Committee",
        },
        {
            "actor": "abdul-aziz-al-khair",
            "name": "Abdul-Aziz al-Khair",
            "role": "in charge of negotiations and dialogue",
        },
        {"actor": "russian-foreign-ministry", "name": "Russian Foreign Ministry", "role": "sponsor"},
    ],
    "place": {"place": "moscow", "name": "Moscow"},
    "topics": ["negotiations"],
    "claims": [_PLANNED, _CALLED_OFF],
    "links": [{"rel": "follows", "event": _PROMISE}],
    "version": 1,
    "reported_at": REPORTED,
    "recorded_at": RECORDED,
    "created_at": RECORDED,
}
_VISIT_BODY: Json = {
    "title": "Brahimi is to head for Moscow",
    "summary": "How long he stays is not said.",
    "when": "2013-02-21",
    "status": "planned",
    "kind": "visit",
    "participants": [{"actor": "lakhdar-brahimi", "role": "visitor"}],
    "place": {"place": "moscow"},
    "topics": ["un-mediation"],
    "claims": [
        {
            "source": "ballout-2013-02-20",
            "quote": "Brahimi will be heading tomorrow to Moscow",
            "asserts": {"status": "planned", "when": "2013-02-21"},
            "reported_at": REPORTED,
        }
    ],
    "reported_at": REPORTED,
}
_VISIT: Json = {
    "id": "019b5d1c-7c00-7c3e-8c1a-0f4d1b7a9e52",
    "timeline": "syria-2013",
    "title": "Brahimi is to head for Moscow",
    "summary": "How long he stays is not said.",
    "when": "2013-02-21",
    "precision": "day",
    "approximate": False,
    "uncertain": False,
    "bounds": {
        "start": {"earliest": "2013-02-21T00:00:00Z", "latest": "2013-02-21T23:59:59.999999Z"},
        "end": {"earliest": "2013-02-21T00:00:00.000001Z", "latest": "2013-02-22T00:00:00Z"},
    },
    "status": "planned",
    "status_reason": None,
    "previously": [],
    "kind": "visit",
    "participants": [{"actor": "lakhdar-brahimi", "name": "Lakhdar Brahimi", "role": "visitor"}],
    "place": {"place": "moscow", "name": "Moscow"},
    "topics": ["un-mediation"],
    "claims": [
        {
            "id": "019b5d1c-7c02-7a51-9d3f-5b8e2c6f0a17",
            "source": "ballout-2013-02-20",
            "title": "Russia-US Rapprochement on Syria",
            "attributed_to": None,
            "quote": "Brahimi will be heading tomorrow to Moscow",
            "asserts": {"status": "planned", "when": "2013-02-21"},
            "reported_at": REPORTED,
        }
    ],
    "links": [],
    "version": 1,
    "reported_at": REPORTED,
    "recorded_at": RECORDED,
    "created_at": RECORDED,
}
_DATE: Json = {
    "edtf": "[2013-02-24..2013-02-28]",
    "canonical": "[2013-02-24..2013-02-28]",
    "level": 2,
    "precision": "day",
    "approximate": False,
    "uncertain": False,
    "bounds": {
        "start": {"earliest": "2013-02-24T00:00:00Z", "latest": "2013-02-28T23:59:59.999999Z"},
        "end": {"earliest": "2013-02-24T00:00:00.000001Z", "latest": "2013-03-01T00:00:00Z"},
    },
    "words": "on one of 24–28 February 2013",
}


def _written(document: Json, *left_out: str) -> Json:
    """Give what a client would write to get this document: without what the service adds, and what is null."""
    return {name: value for name, value in document.items() if name not in left_out and value is not None}


_EVENT_BODY = _written(
    EVENT, *("id", "timeline", "precision", "approximate", "uncertain", "bounds", "previously", "links", "version"),
    "recorded_at", "created_at",
)  # fmt: skip
_CLAIM_BODY = _written(_CALLED_OFF, "id", "title", "asserts") | {"asserts": {"status": "cancelled"}}


def _page(*items: Json, **members: object) -> Json:
    return {"items": list(items), "next": None, **members}


_FIRST = {"If-Match": '"1"'}
_HELD = {"If-None-Match": '"1"'}
_CERTAINLY = {"datetime": "2013-02-25", "relation": "within", "certainty": "certain", "status": "cancelled"}

EXCHANGES: tuple[Exchange, ...] = (
    Exchange(
        "list_events", 200, "What was cancelled of 25 February 2013", _page(EVENT, count=1),
        _CERTAINLY | {"count": "exact"},
    ),
    Exchange(
        "list_events_everywhere", 200, "What Ali Haider was to take part in", _page(EVENT, count=None),
        {"actor": "ali-haider"},
    ),
    Exchange("create_event", 201, "A planned visit", _VISIT, body=_VISIT_BODY),
    Exchange("get_event", 200, "The meeting that was called off", EVENT),
    Exchange("get_event", 304, "You hold it already", headers=_HELD),
    Exchange(
        "put_event", 201, "Created under an identity of your own", EVENT | {"links": []},
        headers={"If-None-Match": "*"}, body=_EVENT_BODY,
    ),
    Exchange("put_event", 200, "Replaced", EVENT | {"version": 2}, headers=_FIRST, body=_EVENT_BODY),
    Exchange(
        "amend_event", 200, "It is called off", EVENT | {"version": 2},
        headers=_FIRST, body={"status": "cancelled", "status_reason": _WHY, "reported_at": REPORTED},
    ),
    Exchange("delete_event", 204, "Deleted", headers=_FIRST),
    Exchange("list_claims", 200, "That it was planned, and that it was called off", {"items": [_PLANNED, _CALLED_OFF]}),
    Exchange(
        "create_claim", 201, "That it was called off",
        _CALLED_OFF | {"id": "019b5d1c-7c03-7d08-a1b2-6c9f3d7e1b28"}, body=_CLAIM_BODY,
    ),
    Exchange("get_claim", 200, "That it was planned", _PLANNED),
    Exchange("delete_claim", 204, "Taken back"),
    Exchange("put_link", 200, "It is there already", EVENT),
    Exchange("put_link", 201, "Tied anew, after it was untied", EVENT | {"version": 3}),
    Exchange("delete_link", 204, "Untied"),
    Exchange("list_timelines", 200, "All", _page(TIMELINE)),
    Exchange(
        "create_timeline", 201, "A story to follow", TIMELINE, body=_written(TIMELINE, "version", "created_at")
    ),
    Exchange("get_timeline", 200, "The seeded one", TIMELINE),
    Exchange("get_timeline", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_timeline", 200, "Without a description", TIMELINE | {"version": 2, "description": None},
        headers=_FIRST, body={"description": None},
    ),
    Exchange("delete_timeline", 204, "Removed", headers=_FIRST),
    Exchange("list_actors", 200, "Whom someone calls Kerry", _page(ACTOR), {"name": "Kerry"}),
    Exchange("create_actor", 201, "A person", ACTOR, body=ACTOR),
    Exchange("get_actor", 200, "A person", ACTOR),
    Exchange("get_actor", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_actor", 200, "One more alias", ACTOR | {"aliases": ["Kerry", "John F. Kerry"]},
        headers=_FIRST, body={"aliases": ["Kerry", "John F. Kerry"]},
    ),
    Exchange("delete_actor", 204, "Removed", headers=_FIRST),
    Exchange("list_places", 200, "What is called Moscow", _page(PLACE), {"name": "Moscow"}),
    Exchange("create_place", 201, "A city", PLACE, body=PLACE),
    Exchange("get_place", 200, "A city", PLACE),
    Exchange("get_place", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_place", 200, "Without coordinates", PLACE | {"latitude": None, "longitude": None},
        headers=_FIRST, body={"latitude": None, "longitude": None},
    ),
    Exchange("delete_place", 204, "Removed", headers=_FIRST),
    Exchange("list_sources", 200, "All", _page(SOURCE)),
    Exchange("create_source", 201, "An article", SOURCE, body=_written(SOURCE)),
    Exchange("get_source", 200, "An article", SOURCE),
    Exchange("get_source", 304, "You hold it already", headers=_HELD),
    Exchange(
        "amend_source", 200, "When it was published", SOURCE,
        headers=_FIRST, body={"published": "2013-02-20"},
    ),
    Exchange("delete_source", 204, "Removed", headers=_FIRST),
    Exchange("explain_date", 200, "At the end of February 2013", _DATE, {"edtf": "[2013-02-24..2013-02-28]"}),
    Exchange("get_liveness", 200, "It lives", {"status": "ok"}),
    Exchange("get_readiness", 200, "It is ready", {"status": "ok"}),
    *webhook_examples.EXCHANGES,
)  # fmt: skip

# What stands in a path in the examples, where the parameter itself does not say.
SLUGS: Mapping[str, str] = {
    "/v1/timelines/{slug}": TIMELINE["slug"],
    "/v1/actors/{slug}": ACTOR["slug"],
    "/v1/places/{slug}": PLACE["slug"],
    "/v1/sources/{slug}": SOURCE["slug"],
}
REQUEST_ID = "019b5d1c7c047c3e8c1a0f4d1b7a9e52"
