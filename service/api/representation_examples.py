"""Examples of lists of events in all representations but JSON: written of one event, as they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from service.api.answers import NDJSON
from service.api.representations import NAMES, STREAMED
from service.api.specimens import EVENT, PLACE, Json
from service.dates import Window
from service.formats import atom, svg
from service.formats.writing import Batch, Collection, as_json
from service.wire.directory import Coordinates

# Where `make run` has the service answer.
SERVICE = "http://127.0.0.1:8000"


def written(timeline: Json | None, path: str, query: Mapping[str, str], window: Window | None = None) -> dict[str, str]:
    """Write an example of each media type: the answer to this request, whose whole content is one event."""
    title, description = ("Dateline", None) if timeline is None else (timeline["title"], timeline["description"])
    asked = {name: value for name, value in query.items() if name != "count"}

    def asked_as(media_type: str) -> Collection:
        address = f"{SERVICE}{path}?{urlencode(asked | {'format': NAMES[media_type]})}"
        return Collection(title, description, SERVICE, address)

    batch = Batch(
        [as_json(EVENT)],
        {PLACE["slug"]: Coordinates(PLACE["latitude"], PLACE["longitude"])},
    )
    events = list(batch.events)
    examples = {}
    for media_type, streamed in STREAMED.items():
        writer = streamed.writer(asked_as(media_type))
        examples[media_type] = writer.begin() + writer.write(batch) + writer.end()
    feed = asked_as(atom.MEDIA_TYPE)
    examples[atom.MEDIA_TYPE] = atom.write_feed(feed, events, None, first=feed.address)
    examples[svg.MEDIA_TYPE] = svg.write_picture(asked_as(svg.MEDIA_TYPE), events, window, has_more=False)
    return {media_type: content.decode() for media_type, content in examples.items()}


def is_structured(media_type: str) -> bool:
    """Tell whether the published document shows an example of this type as JSON, not as its text."""
    return media_type != NDJSON and media_type.endswith("json")
