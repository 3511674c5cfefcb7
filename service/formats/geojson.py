"""GeoJSON (RFC 7946), a layer of a map: an event a feature, at the place where it takes place.

The place is where the directory has it now. An event whose place is not known, or has no coordinates, is a feature
without a geometry (section 3.2).
"""

from __future__ import annotations

from service.formats.writing import Batch, JsonListWriter, as_json
from service.wire.directory import Coordinates
from service.wire.event import Event

MEDIA_TYPE = "application/geo+json"


class GeoJsonWriter(JsonListWriter):
    """Writes a feature collection; the properties of a feature are the event as it is in JSON."""

    def begin(self) -> bytes:
        """Open the collection."""
        return b'{"type":"FeatureCollection","features":[\n'

    def item(self, event: Event, batch: Batch) -> bytes:
        """Write an event as a feature."""
        return b'{"type":"Feature","id":"%b","geometry":%b,"properties":%b}' % (
            # the same identity may stand in several timelines
            f"{event.timeline}/{event.id}".encode(),
            _geometry(batch.where(event)),
            event.model_dump_json().encode(),
        )


def _geometry(where: Coordinates | None) -> bytes:
    """Write a point, longitude first (section 3.1.1)."""
    return b"null" if where is None else as_json({"type": "Point", "coordinates": [where.longitude, where.latitude]})
