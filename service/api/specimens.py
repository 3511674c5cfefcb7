"""What the published examples are made of, each once: things of the seeded timeline, as they are read and written.

They are what the seed file makes, identities included; only `recorded_at` and `created_at` are each store's own,
and the cursors of its feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.wire.history import changes

Json = dict[str, Any]

# By a store's own clock: when it first learned of something, and when it learned of its present state.
CREATED = "2026-11-24T09:00:00.25Z"
RECORDED = "2026-11-24T09:00:00.5Z"
REPORTED = "2013-02-20T00:00:00Z"

TIMELINE: Json = {
    "slug": "syria-2013",
    "title": "Russia, the United States and Syria, early 2013",
    "description": "What an article of 20 February 2013 reports of the moves towards a political solution in Syria: "
    "what had happened, what was planned, what was called off, what was going on, and what was expected not to happen.",
    "visibility": "public",
    "version": 1,
    "created_at": CREATED,
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
# Who says that the meeting of 25 February was planned, and that it was called off.
PLANNED: Json = {
    "id": "585231d0-9e3c-5db6-9783-6ee0691d109b",
    "source": "ballout-2013-02-20",
    "title": "Russia-US Rapprochement on Syria",
    "attributed_to": None,
    "quote": "The meeting was set to be held in Feb. 25 in Moscow",
    "asserts": {"status": None, "when": "2013-02-25"},
    "reported_at": REPORTED,
}
CALLED_OFF: Json = {
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
WHY = "The Russians could not persuade the Syrian officials to release Abdul-Aziz al-Khair."
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
    "status_reason": WHY,
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
    "claims": [PLANNED, CALLED_OFF],
    "links": [{"rel": "follows", "event": _PROMISE}],
    "version": 2,
    "reported_at": REPORTED,
    "recorded_at": RECORDED,
    "created_at": CREATED,
}
# The same meeting as it was known before: still planned.
EVENT_BEFORE: Json = EVENT | {
    "status": "planned",
    "status_reason": None,
    "claims": [],
    "links": [],
    "version": 1,
    "reported_at": "2013-02-01T00:00:00Z",
    "recorded_at": CREATED,
}
VISIT_BODY: Json = {
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
VISIT: Json = {
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
DATE: Json = {
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


def written(document: Json, *left_out: str) -> Json:
    """Give what a client would write to get this document: without what the service adds, and what is null."""
    return {name: value for name, value in document.items() if name not in left_out and value is not None}


EVENT_BODY = written(
    EVENT, *("id", "timeline", "precision", "approximate", "uncertain", "bounds", "previously", "links", "version"),
    "recorded_at", "created_at",
)  # fmt: skip
CLAIM_BODY = written(CALLED_OFF, "id", "title", "asserts") | {"asserts": {"status": "cancelled"}}


def _state(document: Json, before: Json, known: Json, reason: str) -> Json:
    return {
        "version": document["version"],
        "known": known,
        "recorded_at": document["recorded_at"],
        "author": "seed",
        "reason": reason,
        "diff": changes(before, document),
        "conflicts": [],
        "document": document,
    }


STATES = [
    _state(EVENT, EVENT_BEFORE, {"from": EVENT["reported_at"], "to": None}, WHY),
    _state(
        EVENT_BEFORE,
        {},
        {"from": EVENT_BEFORE["reported_at"], "to": EVENT["reported_at"]},
        "Reported [..2013-02-20]: when the meeting was set is not in the article, only that it was. The first day of "
        "the month stands in for that time.",
    ),
]

# What is moved: negotiations that the coalition set a deadline for.
_NEGOTIATIONS: Json = {
    "event": "8fb80b13-f792-5e0f-b023-b51219032e20",
    "title": "Negotiations between the Syrian regime and the opposition",
}
_WHY_LATER = "The messages that might prepare them were still to be carried."
# What changed between two days of February, of each kind an event.
COMPARISON: Json = {
    "from": "2013-02-15T23:59:59.999999Z",
    "to": "2013-02-20T23:59:59.999999Z",
    "added": [
        {
            "event": "4edb3235-752b-5100-83c6-8c495f69a4ce",
            "title": VISIT["title"],
            "now": {"when": "2013-02-21", "status": "planned"},
            "before": None,
            "reason": None,
        }
    ],
    "moved": [
        _NEGOTIATIONS
        | {
            "now": {"when": "[2013-02-21..]", "status": "tentative"},
            "before": {"when": "[2013-02-15..]", "status": "tentative"},
            "reason": _WHY_LATER,
        }
    ],
    "called_off": [
        {
            "event": EVENT["id"],
            "title": EVENT["title"],
            "now": {"when": "2013-02-25", "status": "cancelled"},
            "before": {"when": "2013-02-25", "status": "planned"},
            "reason": WHY,
        }
    ],
    "confirmed": [],
    "reinstated": [],
    "withdrawn": [],
    "amended": [],
    "next": None,
}
PLAN: Json = _NEGOTIATIONS | {
    "status": "tentative",
    "status_reason": _WHY_LATER,
    "first": "[2013-02-15..]",
    "when": "[2013-02-21..]",
    "moves": 1,
    "slippage": {"earliest_days": 6.0, "latest_days": None},
    "overdue": False,
}
OUTCOMES: Json = {"planned": 6, "tentative": 6, "overdue": 9, "occurred": 0, "postponed": 0, "cancelled": 1}

# Places in the feed: its beginning, behind each of two changes, and its end.
CURSORS: Sequence[str] = (
    "ACCg0Uw8S7KU5Rpo_lL-agAAAAAAAAAAAAAAAAAAAAAAAAAARIgqAXi4NqJDRxAe3wdiRg",
    "ACCg0Uw8S7KU5Rpo_lL-agAAAAEAAAAAAAAC8QAAAAAAAAAZ_BWGTU-qlo8dwtnHZipcCQ",
    "ACCg0Uw8S7KU5Rpo_lL-agAAAAEAAAAAAAAC8QAAAAAAAAAawEzP-Sp15jQ7WVG6EixMOw",
    "ACCg0Uw8S7KU5Rpo_lL-agAAAAEAAAAAAAAC8QAAAAAAAAAm1vhnrm5gPp9P5VlO6DKazg",
)


def _change(cursor: str, operation: str, document: Json) -> Json:
    return {
        "cursor": cursor,
        "operation": operation,
        "event": document["id"],
        "version": document["version"],
        "recorded_at": document["recorded_at"],
        "document": document,
    }


CHANGES = [_change(CURSORS[1], "created", EVENT_BEFORE), _change(CURSORS[2], "amended", EVENT)]

_LAST_DAY = 28


def _day(day: int, certain: int, possible: int) -> Json:
    start, end = f"2013-02-{day}", "2013-03-01" if day == _LAST_DAY else f"2013-02-{day + 1}"
    return {"from": f"{start}T00:00:00Z", "to": f"{end}T00:00:00Z", "certain": certain, "possible": possible}


HISTOGRAM: Json = {"items": [_day(24, 0, 3), _day(25, 1, 4), *(_day(day, 0, 3) for day in (26, 27, 28))]}
