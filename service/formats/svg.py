"""SVG 2: a picture of a page of events, a row each, along an axis of time.

A row's light bar is where the event possibly lies, piece by piece where there are gaps; its dark one where it
certainly lies. What has no beginning or end goes on beyond the edge. Attributes alone say how it looks: a browser that
is told to take no styles from here shows it all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from service.dates import (
    DISTANT_FUTURE,
    DISTANT_PAST,
    Bounds,
    Expression,
    Unit,
    Window,
    bucket_of,
    bucket_start,
    parse,
)
from service.dates.instants import DAY, HOUR, MINUTE, SECOND, civil_day
from service.formats.prose import sentence_of
from service.formats.writing import Collection, in_xml
from service.wire.event import Event

MEDIA_TYPE = "image/svg+xml"

# In the picture's own units, CSS pixels where nobody scales it.
_WIDTH: Final = 1000
_AXIS_FROM: Final = 400
_AXIS_TO: Final = 984
_MARGIN: Final = 16
_HEAD: Final = 84
_ROW: Final = 38
_FOOT: Final = 44
_LEAST_BAR: Final = 4
_ARROW: Final = 7
# What fits into the column of titles, by a font of usual width.
_MOST_CHARACTERS: Final = 54
_MOST_TICKS: Final = 8
# As wide is a character of a tick's label, at most.
_TICK_CHARACTER: Final = 7
# From one tick to the next within days.
_TIMES: Final = tuple(
    [SECOND * one for one in (1, 2, 5, 10, 15, 30)]
    + [MINUTE * one for one in (1, 2, 5, 10, 15, 30)]
    + [HOUR * one for one in (1, 2, 3, 6, 12)]
)
# From one tick to the next, in units of the calendar.
_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_INK, _FAINT, _LINE = "#1a202c", "#4a5568", "#cbd5e0"
_COLOURS: Final = {
    "occurred": "#17603a",
    "planned": "#0b57a4",
    "tentative": "#7a4b00",
    "postponed": "#6b3fa0",
    "cancelled": "#a3231b",
}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class _Axis(NamedTuple):
    """The instants at the picture's two edges."""

    start: int
    end: int

    def x(self, instant: int) -> float:
        """Say where an instant is drawn; what lies beyond an edge is drawn there."""
        within = min(max(instant, self.start), self.end)
        return round(_AXIS_FROM + (within - self.start) / (self.end - self.start) * (_AXIS_TO - _AXIS_FROM), 1)


class _Stretch(NamedTuple):
    """Where a bar is drawn: from where to where."""

    left: float
    right: float


_PICTURE: Final = _Stretch(_AXIS_FROM, _AXIS_TO)


def write_picture(collection: Collection, events: Sequence[Event], window: Window | None, *, has_more: bool) -> bytes:
    """Draw events, by the window that they were asked for in, where it has two ends."""
    expressions = [parse(one.when) for one in events]
    axis = _axis([one.bounds for one in expressions], window)
    height = _HEAD + max(1, len(events)) * _ROW + _FOOT
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_WIDTH} {height}",
            "width": str(_WIDTH),
            "height": str(height),
            "role": "img",
            "font-family": "system-ui, sans-serif",
        },
    )
    _add(root, "title", collection.title)
    _add(root, "rect", width=_WIDTH, height=height, fill="#ffffff")
    _write(root, _MARGIN, 30, collection.title, size=18, fill=_INK, most=_MOST_CHARACTERS * 2)
    _ticks(root, axis, height - _FOOT)
    clip = _add(root, "clipPath", id="titles")
    _add(clip, "rect", x=_MARGIN, y=0, width=_AXIS_FROM - 2 * _MARGIN, height=height)
    for number, (event, expression) in enumerate(zip(events, expressions, strict=True)):
        _row(root, axis, _HEAD + number * _ROW, collection, event, expression)
    if not events:
        _write(root, _MARGIN, _HEAD + 20, "No event", size=13, fill=_FAINT)
    _legend(root, height - 16, has_more=has_more)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _axis(bounds: Sequence[Bounds], window: Window | None) -> _Axis:
    """Choose the edges: of what ends nowhere, its other ends are shown."""
    if window is not None and window.start != DISTANT_PAST and window.end != DISTANT_FUTURE:
        return _Axis(window.start, window.end)
    known = [instant for one in bounds for instant in one if instant not in (DISTANT_PAST, DISTANT_FUTURE)]
    first, last = min(known, default=0), max(known, default=DAY)
    room = max((last - first) // 40, DAY // 2)
    return _Axis(first - room, last + room)


def _ticks(root: Element, axis: _Axis, bottom: int) -> None:
    """Draw lines where units of the calendar begin, the shortest of which there are few enough."""
    for label, instant in _marks(axis):
        x = axis.x(instant)
        _add(root, "line", x1=x, x2=x, y1=_HEAD - 12, y2=bottom, stroke=_LINE)
        if x + len(label) * _TICK_CHARACTER < _WIDTH:
            _write(root, x + 3, _HEAD - 18, label, size=11, fill=_FAINT)


def _marks(axis: _Axis) -> Iterator[tuple[str, int]]:
    length = axis.end - axis.start
    if length <= 2 * DAY:
        step = next(one for one in _TIMES if length // one <= _MOST_TICKS)
        for instant in range(-(-axis.start // step) * step, axis.end, step):
            yield _time(instant, step), instant
        return
    for unit in Unit:
        first, last = bucket_of(unit, axis.start), bucket_of(unit, axis.end)
        # the next is so much longer that perhaps none begins in between: rather every second of these
        few = _MOST_TICKS * 2 if unit in (Unit.DAY, Unit.YEAR, Unit.DECADE) else _MOST_TICKS
        if last - first <= few or unit is Unit.CENTURY:
            break
    step = next(one for one in _STEPS if (last - first) // one <= _MOST_TICKS)
    for number in range(-(-first // step) * step, last + 1, step):
        instant = bucket_start(unit, number)
        if axis.start <= instant < axis.end:
            yield _label(unit, instant), instant


def _time(instant: int, step: int) -> str:
    """Write the time of day, and at its beginning which day it is."""
    if instant % DAY == 0:
        return _label(Unit.DAY, instant)
    seconds = instant % DAY // SECOND
    shown = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
    return shown if step >= MINUTE else f"{shown}:{seconds % 60:02d}"


def _label(unit: Unit, instant: int) -> str:
    year, month, day = civil_day(instant)
    said = str(year) if year > 0 else f"{1 - year} BC"
    if unit in (Unit.DAY, Unit.WEEK):
        return f"{day} {_MONTHS[month - 1]} {said}"
    return f"{_MONTHS[month - 1]} {said}" if unit in (Unit.MONTH, Unit.QUARTER) else said


def _row(root: Element, axis: _Axis, top: int, collection: Collection, event: Event, date: Expression) -> None:
    words = sentence_of(event.when)
    link = _add(root, "a", href=collection.page(event))
    _add(link, "title", f"{event.title}\n{words}\n{event.status}")
    line = "line-through" if event.status == "cancelled" else "none"
    labels = _add(link, "g", clip_path="url(#titles)")
    _write(labels, _MARGIN, top + 14, event.title, size=13, fill=_INK, text_decoration=line)
    _write(labels, _MARGIN, top + 29, words, size=11, fill=_FAINT)
    colour = _COLOURS[event.status]
    bounds = date.bounds
    possible = [
        stretch
        for start, end in date.pieces or [(bounds.start_earliest, bounds.end_latest)]
        if (stretch := _stretch(axis, start, end, _PICTURE))
    ]
    for stretch in possible:
        _bar(link, top, stretch, fill=colour, fill_opacity="0.35", stroke=colour, stroke_width="0.5")
    if possible and not date.pieces and _is_seen(axis, bounds):
        certain = _stretch(axis, bounds.start_latest, bounds.end_earliest, possible[0])
        if certain:
            _bar(link, top, certain, fill=colour)
    if possible and bounds.start_earliest < axis.start:
        _arrow(link, top, _AXIS_FROM, -_ARROW, fill=colour)
    if possible and bounds.end_latest > axis.end:
        _arrow(link, top, _AXIS_TO, _ARROW, fill=colour)


def _is_seen(axis: _Axis, bounds: Bounds) -> bool:
    """Tell whether what is certain is wide enough, or most of what is possible: else it looks like more."""
    certain = min(bounds.end_earliest, axis.end) - max(bounds.start_latest, axis.start)
    possible = min(bounds.end_latest, axis.end) - max(bounds.start_earliest, axis.start)
    return certain > 0 and (axis.x(axis.start + certain) - _AXIS_FROM >= 1 or certain * 2 >= possible)


def _arrow(parent: Element, top: int, x: int, length: int, **looks: str) -> None:
    """Point beyond the picture's edge, where an event goes on, or may."""
    _add(parent, "path", d=f"M{x},{top + 8} l{length},8 l{-length},8 z", **looks)


def _stretch(axis: _Axis, start: int, end: int, within: _Stretch) -> _Stretch | None:
    """Say where a bar is drawn, None where it lies beyond the picture; never so narrow that nobody saw it."""
    if start >= axis.end or end <= axis.start:
        return None
    left = min(axis.x(start), within.right - _LEAST_BAR)
    return _Stretch(left, max(axis.x(end), left + _LEAST_BAR))


def _bar(parent: Element, top: int, stretch: _Stretch, **looks: str) -> None:
    left, right = stretch
    _add(parent, "rect", x=round(left, 1), y=top + 8, width=round(right - left, 1), height=16, rx=2, **looks)


def _legend(root: Element, y: int, *, has_more: bool) -> None:
    x = _MARGIN
    for status, colour in _COLOURS.items():
        _add(root, "rect", x=x, y=y - 10, width=12, height=12, rx=2, fill=colour)
        _write(root, x + 17, y, status, size=11, fill=_FAINT)
        x += 88
    said = "dark: certainly; light: possibly" + ("; and more events after these" if has_more else "")
    _write(root, x + 12, y, said, size=11, fill=_FAINT, most=len(said))


def _write(
    parent: Element, x: float, y: float, text: str, *, most: int = _MOST_CHARACTERS, size: int, **looks: str
) -> None:
    shown = text if len(text) <= most else text[: most - 1].rstrip() + "…"
    _add(parent, "text", shown, x=x, y=y, font_size=size, **looks)


def _add(parent: Element, name: str, text: str | None = None, /, **attributes: str | float) -> Element:
    said = {key.replace("_", "-"): in_xml(str(value)) for key, value in attributes.items()}
    child = SubElement(parent, name, said)
    child.text = None if text is None else in_xml(text)
    return child
