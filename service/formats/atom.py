"""Atom (RFC 4287): a page of events as a feed, whose next pages are linked to (RFC 5005, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from xml.etree.ElementTree import Element, SubElement, tostring

from service.dates import parse_instant
from service.formats.prose import titled, told
from service.formats.writing import Collection, in_xml
from service.wire.event import Event

MEDIA_TYPE = "application/atom+xml"
_NAMESPACE = "http://www.w3.org/2005/Atom"
# What a feed was changed at in which nothing ever stood.
_NEVER = "1970-01-01T00:00:00Z"


def write_feed(collection: Collection, events: Sequence[Event], following: str | None, *, first: str) -> bytes:
    """Write a page of a feed; `first` and `following` are the absolute addresses of its first and its next one."""
    feed = Element("feed", xmlns=_NAMESPACE)
    _add(feed, "id", first)
    _add(feed, "title", collection.title)
    if collection.description:
        _add(feed, "subtitle", collection.description)
    # not by their texts: a fraction of a second is as long as it need be
    _add(feed, "updated", max((one.recorded_at for one in events), key=parse_instant, default=_NEVER))
    _link(feed, "self", collection.address, MEDIA_TYPE)
    _link(feed, "first", first, MEDIA_TYPE)
    if following is not None:
        _link(feed, "next", following, MEDIA_TYPE)
    _add(_child(feed, "author"), "name", collection.title)
    _add(feed, "generator", "Dateline")
    for one in events:
        _entry(feed, collection, one)
    written: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _entry(feed: Element, collection: Collection, event: Event) -> None:
    entry = _child(feed, "entry")
    # the same identity may stand in several timelines
    _add(entry, "id", collection.event(event.timeline, event.id))
    _add(entry, "title", titled(event))
    _add(entry, "updated", event.recorded_at)
    _add(entry, "published", event.created_at)
    _link(entry, "alternate", collection.page(event), "text/html")
    _link(entry, "related", collection.event(event.timeline, event.id), "application/json")
    for term in (event.kind, *event.topics):
        _child(entry, "category", term=term)
    content = _child(entry, "content", type="html")
    content.text = in_xml("".join(f"<p>{escape(line)}</p>" for line in told(event)))


def _child(parent: Element, name: str, **attributes: str) -> Element:
    return SubElement(parent, name, {key: in_xml(value) for key, value in attributes.items()})


def _add(parent: Element, name: str, text: str) -> None:
    _child(parent, name).text = in_xml(text)


def _link(parent: Element, rel: str, address: str, media_type: str) -> None:
    _child(parent, "link", rel=rel, href=address, type=media_type)
