"""Slides have dates that TimelineJS can order, and text that is no markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given

from service.dates import AXIS_START, parse
from service.dates.instants import day_start
from service.formats.timelinejs import TimelineJsWriter
from service.formats.writing import Batch, Collection
from service.wire.event import Event
from tests.formats.making import COLLECTION, SERVICE, batch, events, make, names, proses, thorough, whens, written

Json = dict[str, Any]
LAST = day_start(275_760, 1, 1)
PARTS = ("year", "month", "day", "hour", "minute", "second")


class Page(HTMLParser):
    """What a browser makes of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.paragraphs = [""]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "p":
            self.paragraphs.append("")

    def handle_data(self, data: str) -> None:
        self.paragraphs[-1] += data

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.tags.append(f"<!{decl}")


def timeline_of(*batches: Batch, collection: Collection = COLLECTION) -> Json:
    """Write a timeline, and read it."""
    timeline: Json = json.loads(written(TimelineJsWriter(collection), *batches))
    assert timeline.keys() == {"title", "events"}
    return timeline


def slides_of(*found: Event) -> list[Json]:
    """Write events, and give their slides."""
    slides: list[Json] = timeline_of(batch(*found))["events"]
    return slides


@thorough
@given(events(), names, proses)
def test_all_text_of_others_is_text(event: Event, title: str, description: str) -> None:
    timeline = timeline_of(batch(event), collection=Collection(title, description, SERVICE, COLLECTION.address))
    heading = timeline["title"]["text"]
    assert_plain(heading["headline"], title)
    assert Page(heading["text"]).tags == (["p"] if description else [])
    for slide in timeline["events"]:
        assert_plain(slide["text"]["headline"], event.title)
        page = Page(slide["text"]["text"])
        assert set(page.tags) == {"p", "a"}
        assert page.tags.count("a") == 1
        assert page.attributes == [("href", COLLECTION.page(event))]
        assert slide["unique_id"] == f"{event.timeline}-{event.id}"
        assert slide["group"] == event.kind


def assert_plain(html: str, text: str) -> None:
    """Hold HTML to be a text without any markup; of what HTML has no way to write it may make what it will."""
    assert "<" not in html
    assert ">" not in html
    assert Page(html).tags == []
    assert (
        html.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", '"')
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
        == text
    )


@thorough
@given(whens)
@example("../Y-10000")
@example("../Y10000")
def test_dates_are_numbers_with_the_year_first_and_begin_before_they_end(when: str) -> None:
    event = make(when)
    bounds, slides = parse(when).bounds, slides_of(event)
    # what ended before the axis of time has no place on it, nor what begins when JavaScript knows no time
    finite = [one for one in bounds[:3] if AXIS_START + 1 < one < LAST]
    assert bool(slides) == bool(finite)
    for slide in slides:
        dates = [slide["start_date"], *([slide["end_date"]] if "end_date" in slide else [])]
        for one in dates:
            assert list(one) == list(PARTS[: len(one)])
            assert all(type(number) is int for number in one.values())
        assert list(dates[0].values()) <= list(dates[-1].values())
        assert len({len(one) for one in dates}) == 1
        assert ("end_date" in slide) == (bounds.end_latest < LAST)
        assert max(one["year"] for one in dates) < 275_760
        assert slide["display_date"]


@pytest.mark.parametrize(
    ("when", "start", "end"),
    [
        ("2013-02-25", [2013, 2, 25], [2013, 2, 25]),
        ("2013-02", [2013, 2, 1], [2013, 2, 28]),
        ("2013", [2013, 1, 1], [2013, 12, 31]),
        ("201X", [2010, 1, 1], [2019, 12, 31]),
        ("2001-24", [2001, 12, 1], [2002, 2, 28]),
        ("2013-02-20/2013-03", [2013, 2, 20], [2013, 3, 31]),
        ("Y-10000/2013-02-24", [2013, 2, 24], [2013, 2, 24]),
        ("-0043-03-15", [-43, 3, 15], [-43, 3, 15]),
        ("2013-02-25T10:00:00+02:00", [2013, 2, 25, 8, 0, 0], [2013, 2, 25, 8, 0, 0]),
        ("2013-02-24/2013-02-26", [2013, 2, 24], [2013, 2, 26]),
        ("2013-02-24/..", [2013, 2, 24], None),
        ("2013-02-24/", [2013, 2, 24], None),
        ("[2013-02-24..]", [2013, 2, 24], None),
        ("../2013-02-24", [2013, 2, 24], [2013, 2, 24]),
        ("/2013-02-24", [2013, 2, 24], [2013, 2, 24]),
        ("[..2013-02-24]", [2013, 2, 24], [2013, 2, 24]),
    ],
)
def test_a_slide_lasts_as_long_as_the_event_may(when: str, start: list[int], end: list[int] | None) -> None:
    (slide,) = slides_of(make(when))
    assert list(slide["start_date"].values()) == start
    assert (list(slide["end_date"].values()) if "end_date" in slide else None) == end


def test_what_has_neither_beginning_nor_end_is_left_out() -> None:
    beyond = [make(when) for when in ("[..1984,2000..]", "{..1984,2000..}", "Y-10000", "Y300000", "Y-170000002/..")]
    slides = slides_of(*beyond, make("2013", title="Kept"))
    assert [slide["text"]["headline"] for slide in slides] == ["Kept"]


def test_a_slide_says_how_it_stands_and_who_says_so() -> None:
    (slide,) = slides_of(
        make(
            summary="A <b> & c",
            status="postponed",
            status_reason="Snow",
            claims=[{"source": "s", "title": "S"}, {"source": "s", "title": "S"}, {"source": "t", "title": "T"}],
        )
    )
    assert Page(slide["text"]["text"]).paragraphs[1:] == ["A <b> & c", "postponed: Snow", "S; T", "Syria, 2013"]
    assert slide["display_date"] == "On 25 February 2013"


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (2, 0, 1), (0, 1, 1, 0)])
def test_batches_are_one_timeline(sizes: tuple[int, ...]) -> None:
    batches = [batch(*(make(title=f"{number}.{one}") for one in range(size))) for number, size in enumerate(sizes)]
    titles = [slide["text"]["headline"] for slide in timeline_of(*batches)["events"]]
    assert titles == [f"{number}.{one}" for number, size in enumerate(sizes) for one in range(size)]


def test_a_batch_of_which_nothing_can_be_shown_leaves_no_comma() -> None:
    undated = batch(make("[..1984,2000..]"))
    assert len(timeline_of(undated, batch(make()), undated, batch(make()), undated)["events"]) == 2
