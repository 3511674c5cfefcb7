"""TimelineJS 3's JSON: an event a slide, each with its date in words.

A slide begins where the event may begin, and ends where it may end; what has no beginning begins where it may begin
last, or else where it may end first, what has no end has none. Both are written to the day, or to the second where the
date has a time: what is left out there is taken for the first day of a month or year. How much of that is known, the
date in words says. What lies beyond the time axis, or beyond JavaScript's, is left out.
"""

from __future__ import annotations

from html import escape
from typing import Any

from service.dates import AXIS_START, parse
from service.dates.instants import DAY, SECOND, civil_day, day_start
from service.formats.prose import sentence_of
from service.formats.writing import Batch, Collection, JsonListWriter, as_json
from service.wire.event import Event

MEDIA_TYPE = "application/vnd.timelinejs+json"
# Beyond lies no time that JavaScript's own dates know (ECMA-262, section 21.4.1.1), to the year.
_FIRST, _LAST = day_start(-271_820, 1, 1), day_start(275_760, 1, 1)


class TimelineJsWriter(JsonListWriter):
    """Writes a timeline with its title."""

    def __init__(self, collection: Collection) -> None:
        super().__init__()
        self._collection = collection

    def begin(self) -> bytes:
        """Write the title, and open the list of slides."""
        text = {"headline": escape(self._collection.title), "text": _paragraph(self._collection.description)}
        return b'{"title":{"text":%b},"events":[\n' % as_json(text)

    def item(self, event: Event, batch: Batch) -> bytes | None:  # noqa: ARG002  # as every writer of a list
        """Write an event as a slide; None where it has no date that could be shown."""
        bounds = parse(event.when).bounds
        # what lies beyond the axis keeps a microsecond at its end
        start = next((one for one in bounds[:3] if max(_FIRST, AXIS_START + 1) < one < _LAST), None)
        if start is None:
            return None
        if start == bounds.end_earliest:
            start -= 1  # an end is the first instant after
        slide: dict[str, Any] = {
            # the same identity may stand in several timelines
            "unique_id": f"{event.timeline}-{event.id}",
            "start_date": _date(start, event.precision),
            "display_date": escape(sentence_of(event.when)),
            "group": escape(event.kind),
            "text": {"headline": escape(event.title), "text": self._text(event)},
        }
        if bounds.end_latest < _LAST:
            slide["end_date"] = _date(bounds.end_latest - 1, event.precision)
        return as_json(slide)

    def _text(self, event: Event) -> str:
        """Write what is known of an event as HTML; all of it is another's text, none of it markup."""
        status = f"{event.status}: {event.status_reason}" if event.status_reason else event.status
        said = "; ".join(dict.fromkeys(one.title for one in event.claims))
        address = escape(self._collection.page(event))
        return (
            f"{_paragraph(event.summary)}<p>{escape(status)}</p>{_paragraph(said)}"
            f'<p><a href="{address}">{escape(self._collection.title)}</a></p>'
        )


def _paragraph(text: str | None) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _date(instant: int, precision: str) -> dict[str, int]:
    """Write an instant to the day; to the second where that is known."""
    year, month, day = civil_day(instant)
    parts = {"year": year, "month": month, "day": day}
    if precision == "second":
        seconds = instant % DAY // SECOND
        parts |= {"hour": seconds // 3600, "minute": seconds // 60 % 60, "second": seconds % 60}
    return parts
