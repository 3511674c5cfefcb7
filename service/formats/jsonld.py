"""JSON-LD 1.1 by the words of schema.org: an event a `schema:Event` of one graph.

`startDate` and `endDate` say no more than what is certain: the shortest day, month or year in which it began, and
ended, whatever the true date; they are left out where there is none, where the date is approximate or uncertain, and
outside of the years 1 to 9999. The whole date is `when`: `dcterms:date` as
EDTF, by the datatype that the Library of Congress names (http://id.loc.gov/datatypes/edtf).
"""

from __future__ import annotations

from typing import Any

from service.dates import DISTANT_FUTURE, DISTANT_PAST, parse
from service.formats.extent import common_date
from service.formats.writing import Batch, Collection, JsonListWriter, as_json
from service.wire.event import Claim, Event, Participant

MEDIA_TYPE = "application/ld+json"
_CONTEXT = [
    "https://schema.org",
    {
        "dcterms": "http://purl.org/dc/terms/",
        "when": {"@id": "dcterms:date", "@type": "http://id.loc.gov/datatypes/edtf/EDTF"},
    },
]
_STATUS = {"postponed": "EventPostponed", "cancelled": "EventCancelled"}


class JsonLdWriter(JsonListWriter):
    """Writes a graph of events."""

    def __init__(self, collection: Collection) -> None:
        super().__init__()
        self._collection = collection

    def begin(self) -> bytes:
        """Write the context, and open the graph."""
        return b'{"@context":%b,"@graph":[\n' % as_json(_CONTEXT)

    def item(self, event: Event, batch: Batch) -> bytes:
        """Write an event as a node; what it does not say is left out."""
        bounds = parse(event.when).bounds
        service = self._collection.service
        is_doubted = event.approximate or event.uncertain
        node: dict[str, Any] = {
            "@id": self._collection.event(event.timeline, event.id),
            "@type": "Event",
            "identifier": str(event.id),
            "name": event.title,
            "description": event.summary,
            "url": self._collection.page(event),
            "when": event.when,
            "startDate": None if is_doubted else common_date(bounds.start_earliest, bounds.start_latest),
            "endDate": None if is_doubted else _ended(bounds.end_earliest, bounds.end_latest),
            # schema.org knows no word for what was planned, took place, or is not sure
            "disambiguatingDescription": ": ".join(filter(None, (event.status, event.status_reason))),
            "eventStatus": f"https://schema.org/{_status(event)}",
            "previousStartDate": _former_start(event),
            "additionalType": event.kind,
            "keywords": event.topics,
            "attendee": [_attendee(one, service) for one in event.participants],
            "location": _location(event, batch, service),
            "subjectOf": [_work(one, service) for one in event.claims],
            "superEvent": [
                {"@id": self._collection.event(event.timeline, one.event)}
                for one in event.links
                if one.rel == "part_of"
            ],
        }
        return as_json({name: value for name, value in node.items() if value not in (None, [])})


def _ended(earliest: int, latest: int) -> str | None:
    if earliest == DISTANT_PAST or latest == DISTANT_FUTURE:
        return None
    # an end is the first instant after
    return common_date(earliest - 1, latest - 1)


def _status(event: Event) -> str:
    if event.status == "planned" and event.previously:
        return "EventRescheduled"
    return _STATUS.get(event.status, "EventScheduled")


def _former_start(event: Event) -> str | None:
    if not event.previously:
        return None
    former = parse(event.previously[0].when)
    if former.approximate or former.uncertain:
        return None
    return common_date(former.bounds.start_earliest, former.bounds.start_latest)


def _attendee(one: Participant, service: str) -> dict[str, Any]:
    """Write who took part, inside of the role that they had, if it is known (schema:Role)."""
    who: dict[str, Any] = {"@id": f"{service}/v1/actors/{one.actor}", "name": one.name}
    return who if one.role is None else {"@type": "Role", "roleName": one.role, "attendee": who}


def _location(event: Event, batch: Batch, service: str) -> dict[str, Any] | None:
    if event.place is None:
        return None
    place = {"@id": f"{service}/v1/places/{event.place.place}", "@type": "Place", "name": event.place.name}
    where = batch.where(event)
    if where is None:
        return place
    return place | {
        "geo": {"@type": "GeoCoordinates", "latitude": where.latitude, "longitude": where.longitude},
    }


def _work(claim: Claim, service: str) -> dict[str, Any]:
    """Write what says so: a work, or what is quoted of it."""
    work: dict[str, Any] = {
        "@id": f"{service}/v1/sources/{claim.source}",
        "@type": "CreativeWork",
        "name": claim.title,
    }
    if claim.quote is None:
        return work
    spoken = {} if claim.attributed_to is None else {"creator": {"name": claim.attributed_to}}
    return {"@type": "Quotation", "text": claim.quote, **spoken, "isPartOf": work}
