"""iCalendar (RFC 5545, RFC 7986): a calendar to subscribe to, an event an entry.

An entry goes from where the event may begin to where it may end, in whole days where these are days. Where that says
more than is known, the summary says the date in words: `A visit (on one of 24–28 February 2013)`. What has no end
lasts as long as it may begin, what has no beginning as long as it may end; of what may begin however late it is the
first day, of what may have ended however early the last. The whole date is `X-DATELINE-WHEN`.

A calendar knows the years 1 to 9999: what reaches beyond is left out.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any, Final

from service.dates import DISTANT_FUTURE, DISTANT_PAST, describe, parse, parse_instant
from service.dates.instants import DAY
from service.formats.extent import as_date, as_datetime, has_four_digits, is_exact
from service.formats.prose import titled, told
from service.formats.writing import Batch, Collection
from service.wire.directory import Coordinates
from service.wire.event import Event

MEDIA_TYPE = "text/calendar"
_STATUS = {
    "tentative": "TENTATIVE",
    "planned": "CONFIRMED",
    "occurred": "CONFIRMED",
    "postponed": "TENTATIVE",
    "cancelled": "CANCELLED",
}
# How often whoever subscribes to it may ask again.
_REFRESH = timedelta(hours=1)
_TTL = "PT1H"  # the same, for those who know no property but their own
_END = b"END:VCALENDAR\r\n"
# What no text can hold (section 3.1), once its lines end by LF alone.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPES: Final = str.maketrans({"\\": r"\\", ";": r"\;", ",": r"\,", "\n": r"\n"})


class ICalendarWriter:
    """Writes a calendar."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def begin(self) -> bytes:
        """Write what the calendar is called, and how often to ask for it."""
        calendar = _component("Calendar")
        calendar.add("version", "2.0")
        calendar.add("prodid", "-//Dateline//Dateline//EN")
        calendar.add("calscale", "GREGORIAN")
        for name in ("name", "x-wr-calname"):
            calendar.add(name, _text(self._collection.title), encode=False)
        if self._collection.description:
            for name in ("description", "x-wr-caldesc"):
                calendar.add(name, _text(self._collection.description), encode=False)
        calendar.add("url", self._collection.address)
        calendar.add("refresh-interval", _REFRESH, parameters={"value": "DURATION"})
        calendar.add("x-published-ttl", _TTL)
        written: bytes = calendar.to_ical()
        return written.removesuffix(_END)

    def write(self, batch: Batch) -> bytes:
        """Write some events more, but for those that no calendar can hold."""
        return b"".join(self._entry(one, batch) for one in batch.events)

    def end(self) -> bytes:
        """Close the calendar."""
        return _END

    def _entry(self, event: Event, batch: Batch) -> bytes:
        lasts = _lasts(event)
        if lasts is None:
            return b""
        entry = _component("Event")
        # the same identity may stand in several timelines, of which each has an event of its own
        entry.add("uid", f"{event.id}@{event.timeline}")
        entry.add("dtstamp", _recorded(event.recorded_at))
        entry.add("created", _recorded(event.created_at))
        entry.add("last-modified", _recorded(event.recorded_at))
        entry.add("sequence", event.version - 1)
        entry.add("dtstart", lasts[0])
        if lasts[1] is not None:
            entry.add("dtend", lasts[1])
        expression = parse(event.when)
        is_said = is_exact(expression, to_the_day=not isinstance(lasts[0], datetime))
        summary = titled(event) if is_said else f"{titled(event)} ({describe(expression)})"
        entry.add("summary", _text(summary), encode=False)
        entry.add("description", _text("\n".join(told(event))), encode=False)
        entry.add("status", _STATUS[event.status])
        entry.add("transp", "TRANSPARENT")  # it keeps nobody busy who follows it
        entry.add("categories", [event.kind, *event.topics])
        entry.add("url", self._collection.page(event))
        if event.place is not None:
            entry.add("location", _text(event.place.name), encode=False)
        where = batch.where(event)
        if where is not None:
            entry.add("geo", _geo(where), encode=False)
        entry.add("x-dateline-when", _text(event.when), encode=False)
        entry.add("x-dateline-status", event.status)
        written: bytes = entry.to_ical()
        return written


def _component(name: str) -> Any:  # noqa: ANN401  # of the library, which is typed in parts only
    """Make a component; the first loads the library, which takes a twentieth of what the service takes to start."""
    import icalendar  # noqa: PLC0415

    return getattr(icalendar, name)()


class _Written(str):
    """A value as it stands in the calendar: what the library takes as it is."""

    __slots__ = ()

    def to_ical(self) -> str:
        """Give it to the library, which would take a mark of byte order from bytes."""
        return str(self)


def _text(text: str) -> _Written:
    r"""Write a text (section 3.3.11); the library would take the `\N` of `C:\New` for the end of a line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _Written(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", lines).translate(_ESCAPES))


def _geo(where: Coordinates) -> _Written:
    """Write a position to six places, as much as a calendar need read (section 3.8.1.6), and never an exponent."""
    return _Written(f"{where.latitude:.6f};{where.longitude:.6f}")


def _recorded(text: str) -> datetime:
    return as_datetime(parse_instant(text)).replace(microsecond=0)


def _lasts(event: Event) -> tuple[date, date | None] | None:
    """Say from when until when an entry lasts, in days or instants of UTC; None where no calendar can say it."""
    bounds = parse(event.when).bounds
    start, end = bounds.start_earliest, bounds.end_latest
    if start == DISTANT_PAST:
        # an end is the first instant after; where it may have ended however early, the last day is what is known
        start = bounds.end_earliest - 1 if bounds.end_earliest != DISTANT_PAST else end - DAY
    elif end == DISTANT_FUTURE:
        end = bounds.start_latest + 1 if bounds.start_latest != DISTANT_FUTURE else start + DAY
    if not (has_four_digits(start) and has_four_digits(end)):
        return None
    # a day of a calendar is one of whoever looks at it; a time is the same everywhere
    if event.precision != "second" and start % DAY == 0 and end % DAY == 0:
        return as_date(start), as_date(end)
    # what ends within a second, ends by the clock as that begins
    begins, ends = (as_datetime(one).replace(microsecond=0) for one in (start, end - 1))
    return begins, ends if ends > begins else None
