"""A feed is whole for every reader (RFC 4287), whatever stands in it."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dates import format_instant, parse_instant
from service.formats.atom import write_feed
from service.formats.writing import Collection
from service.wire.event import Event
from tests.formats.making import (
    COLLECTION,
    RECORDED_AT,
    SERVICE,
    events,
    in_xml_again,
    make,
    names,
    proses,
    thorough,
)

FIRST = f"{SERVICE}/v1/events?timeline=syria-2013"
NEXT = f"{COLLECTION.address}&cursor=abc"
ATOM = "{http://www.w3.org/2005/Atom}"


def feed_of(*found: Event, following: str | None = None, collection: Collection = COLLECTION) -> ET.Element:
    """Write a feed, and read it as anybody would."""
    return ET.fromstring(write_feed(collection, found, following, first=FIRST))  # noqa: S314  # our own


def text_of(element: ET.Element, name: str) -> str:
    """Give the text of the only child of this name."""
    (child,) = element.findall(ATOM + name)
    return child.text or ""


def links_of(element: ET.Element) -> dict[str, str]:
    """Give the addresses that are linked to, by how."""
    links = element.findall(f"{ATOM}link")
    found = {one.attrib["rel"]: one.attrib["href"] for one in links}
    assert len(found) == len(links)
    return found


@thorough
@given(st.lists(events(), max_size=2, unique_by=lambda event: event.id), names, proses)
def test_a_feed_is_well_formed_and_has_what_each_feed_must_have(found: list[Event], title: str, words: str) -> None:
    feed = feed_of(*found, collection=Collection(title, words, SERVICE, COLLECTION.address))
    assert feed.tag == f"{ATOM}feed"
    assert text_of(feed, "id") == FIRST
    assert text_of(feed, "title") == in_xml_again(title)
    parse_instant(text_of(feed, "updated"))
    (author,) = feed.findall(f"{ATOM}author")
    assert text_of(author, "name") == in_xml_again(title)
    entries = feed.findall(f"{ATOM}entry")
    assert len({text_of(entry, "id") for entry in entries}) == len(entries) == len(found)
    for entry, event in zip(entries, found, strict=True):
        assert text_of(entry, "title").endswith(in_xml_again(event.title))
        assert text_of(entry, "updated") == event.recorded_at
        assert text_of(entry, "published") == event.created_at
        assert not entry.findall(f"{ATOM}summary")
        (content,) = entry.findall(f"{ATOM}content")
        assert content.attrib["type"] == "html"
        if event.summary:
            assert f"<p>{escape(in_xml_again(event.summary))}</p>" in (content.text or "")
        terms = [one.attrib["term"] for one in entry.findall(f"{ATOM}category")]
        assert terms == [event.kind, *event.topics]
        assert links_of(entry)["alternate"].endswith(f"#e-{event.id}")


@pytest.mark.parametrize("shifts", [(0, 500_000), (510_000, 500_000), (1_000_000, 999_999), (10_000_000, 9_000_000)])
def test_a_feed_is_as_new_as_its_newest_entry(shifts: tuple[int, int]) -> None:
    found = [make(recorded_at=RECORDED_AT + shift) for shift in shifts]
    newest = format_instant(RECORDED_AT + max(shifts))
    assert text_of(feed_of(*found), "updated") == text_of(feed_of(*reversed(found)), "updated") == newest


def test_an_empty_feed_was_never_changed() -> None:
    feed = feed_of()
    assert text_of(feed, "updated") == "1970-01-01T00:00:00Z"
    assert not feed.findall(f"{ATOM}entry")


def test_a_feed_links_to_itself_and_to_its_first_and_next_page() -> None:
    last, before = feed_of(make()), feed_of(make(), following=NEXT)
    assert links_of(last) == {"self": COLLECTION.address, "first": FIRST}
    assert links_of(before) == links_of(last) | {"next": NEXT}
    assert text_of(last, "id") == text_of(before, "id")
    odd = Collection("A", None, SERVICE, f"{SERVICE}/v1/events?q=\ufffe&\x01")
    assert links_of(feed_of(collection=odd))["self"] == in_xml_again(odd.address)


def test_an_identity_of_two_timelines_is_two_entries() -> None:
    ids = [text_of(entry, "id") for entry in feed_of(make(timeline="a"), make(timeline="b")).findall(f"{ATOM}entry")]
    assert all(one != other for one, other in pairwise(ids))
    assert ids[0] == f"{SERVICE}/v1/timelines/a/events/{make().id}"


@pytest.mark.parametrize(
    ("status", "title"),
    [
        ("planned", "Talks"),
        ("occurred", "Talks"),
        ("tentative", "Tentative: Talks"),
        ("postponed", "Postponed: Talks"),
        ("cancelled", "Cancelled: Talks"),
    ],
)
def test_a_title_says_first_that_it_does_not_or_may_not_take_place(status: str, title: str) -> None:
    (entry,) = feed_of(make(title="Talks", status=status)).findall(f"{ATOM}entry")
    assert text_of(entry, "title") == title
