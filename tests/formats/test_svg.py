"""A picture shows every event where it may lie, and nothing but the picture."""

from __future__ import annotations

from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.dates import AXIS_END, AXIS_START, DISTANT_FUTURE, DISTANT_PAST, EdtfError, Window, parse, parse_window
from service.formats import svg
from service.formats.writing import Collection
from service.wire.event import Event
from tests.formats.making import COLLECTION, SERVICE, events, in_xml_again, make, names, statuses, thorough, whens

SVG = "{http://www.w3.org/2000/svg}"
SECOND = 1_000_000
DAY = 86_400 * SECOND
# Coordinates are rounded to a tenth.
ROUNDED = 0.1001


class Bar(NamedTuple):
    """Where a bar is drawn."""

    left: float
    right: float
    is_certain: bool


def picture_of(
    *found: Event, window: Window | None = None, has_more: bool = False, collection: Collection = COLLECTION
) -> ET.Element:
    """Draw a picture, and read it as anybody would."""
    return ET.fromstring(svg.write_picture(collection, found, window, has_more=has_more))  # noqa: S314  # our own


def bars_of(row: ET.Element) -> list[Bar]:
    """Give the bars of a row, from left to right."""
    rects = [one.attrib for one in row.findall(f"{SVG}rect")]
    return sorted(
        Bar(float(one["x"]), float(one["x"]) + float(one["width"]), "fill-opacity" not in one) for one in rects
    )


def rows_of(picture: ET.Element) -> list[ET.Element]:
    """Give the rows, one an event."""
    return picture.findall(f"{SVG}a")


def texts_of(element: ET.Element) -> list[str]:
    """Give all texts that are drawn."""
    return [one.text or "" for one in element.iter(f"{SVG}text")]


@thorough
@given(st.lists(events(), max_size=2), names)
def test_a_picture_is_well_formed_with_a_row_each_and_no_style_or_script(found: list[Event], title: str) -> None:
    picture = picture_of(*found, collection=Collection(title, None, SERVICE, COLLECTION.address))
    assert picture.findtext(f"{SVG}title") == in_xml_again(title)
    elements = list(picture.iter())
    assert {one.tag.removeprefix(SVG) for one in elements} <= {
        "svg", "title", "rect", "text", "line", "a", "g", "path", "clipPath"
    }  # fmt: skip
    assert not [name for one in elements for name in one.attrib if name == "style" or name.startswith("on")]
    assert all(one.attrib["href"].startswith(f"{SERVICE}/?timeline=") for one in rows_of(picture))
    assert [row.findtext(f"{SVG}title", "").split("\n")[0] for row in rows_of(picture)] == [
        in_xml_again(event.title).split("\n")[0] for event in found
    ]
    height = float(picture.attrib["height"])
    assert all(float(one.attrib.get("y", 0)) + float(one.attrib.get("height", 0)) <= height for one in elements[1:])


@st.composite
def windows(draw: st.DrawFn) -> Window | None:
    """Windows of any length, from a date or not, and none."""
    if draw(st.booleans()):
        return draw(st.none() | whens.map(parse_window))
    start = draw(st.integers(AXIS_START, AXIS_END - 1))
    return Window(start, min(start + draw(lengths), AXIS_END))


lengths = st.integers(0, 63).map(lambda power: 2**power) | st.integers(1, AXIS_END - AXIS_START)


@thorough
@given(st.lists(st.tuples(whens, statuses), min_size=1, max_size=3), windows())
@example([("{2000,2005}", "planned"), ("{2000,2001}", "planned")], None)
@example([("19XX/2000-01-01", "planned")], None)
@example([("2000-01-01T00:00:00Z/2000-01-01T00:00:02Z", "planned"), ("19XX", "planned")], None)
@example([("2000-01-01T00:00:00Z/2000-01-02", "planned")], Window(-62_000_000_000_000_000, 946_857_600_000_000))
def test_bars_lie_in_the_picture_and_what_is_certain_within_what_is_possible(
    dates: list[tuple[str, str]], window: Window | None
) -> None:
    found = [make(when, status=status) for when, status in dates]
    axis = svg._axis([parse(when).bounds for when, _ in dates], window)
    for row, (when, _) in zip(rows_of(picture_of(*found, window=window)), dates, strict=True):
        expression, bars = parse(when), bars_of(row)
        bounds = expression.bounds
        pieces = expression.pieces or [(bounds.start_earliest, bounds.end_latest)]
        possible = [bar for bar in bars if not bar.is_certain]
        assert len(possible) == sum(start < axis.end and end > axis.start for start, end in pieces)
        for bar in bars:
            assert svg._AXIS_FROM <= bar.left < bar.right <= svg._AXIS_TO + ROUNDED
        for bar in bars:
            assert any(one.left <= bar.left and bar.right <= one.right + ROUNDED for one in possible)
        certain = min(bounds.end_earliest, axis.end) - max(bounds.start_latest, axis.start)
        drawn = certain / (axis.end - axis.start) * (svg._AXIS_TO - svg._AXIS_FROM)
        if bars and drawn > 1 + ROUNDED and not expression.pieces:
            assert len(bars) == len(possible) + 1
        if certain <= 0:
            assert len(bars) == len(possible)
        # an arrow for each edge beyond which it goes on, or may
        beyond = (bounds.start_earliest < axis.start) + (bounds.end_latest > axis.end)
        assert len(row.findall(f"{SVG}path")) == (beyond if possible else 0)


def test_bars_lie_where_the_axis_says() -> None:
    window = parse_window("2013-02-01/2013-02-10")
    certain, possible, gap, open_, beyond = (
        bars_of(row)
        for row in rows_of(
            picture_of(
                make("2013-02-03/2013-02-05"),
                make("2013-02-03"),
                make("[2013-02-01,2013-02-10]"),
                make("2013-02-09/.."),
                make("2013-02-11"),
                window=window,
            )
        )
    )
    day = (svg._AXIS_TO - svg._AXIS_FROM) / 10
    assert [round((bar.left - svg._AXIS_FROM) / day, 1) for bar in certain] == [2, 3]
    assert [round((bar.right - svg._AXIS_FROM) / day, 1) for bar in certain] == [5, 4]
    assert [bar.is_certain for bar in certain] == [False, True]
    assert [(round((bar.left - svg._AXIS_FROM) / day), bar.is_certain) for bar in possible] == [(2, False)]
    assert [round((bar.left - svg._AXIS_FROM) / day) for bar in gap] == [0, 9]
    assert [bar.right for bar in open_] == [svg._AXIS_TO] * 2
    assert beyond == []


@thorough
@given(st.integers(AXIS_START, AXIS_END - DAY), st.integers(SECOND, AXIS_END - AXIS_START) | lengths)
@example(parse_window("2000-06").start, parse_window("2000-06/2009-05").end - parse_window("2000-06").start)
@example(parse_window("1900-06").start, parse_window("1900-06/1999-05").end - parse_window("1900-06").start)
@example(AXIS_START, AXIS_END - AXIS_START)
def test_an_axis_has_some_marks_and_few(start: int, length: int) -> None:
    window = Window(start - start % SECOND, min(start + max(length, SECOND), AXIS_END))
    marks = list(svg._marks(svg._Axis(*window)))
    assert 1 <= len(marks) <= 10
    assert all(window.start <= instant < window.end for _, instant in marks)
    assert [instant for _, instant in marks] == sorted({instant for _, instant in marks})
    picture = picture_of(window=window)
    lines = [float(one.attrib["x1"]) for one in picture.iter(f"{SVG}line")]
    assert lines == sorted(lines)
    assert len(lines) == len(marks)
    # one that stands close to the edge is not called by its name
    assert sum(label not in texts_of(picture) for label, _ in marks) <= 2


@pytest.mark.parametrize(
    ("window", "labels"),
    [
        ("2013-02-24/2013-02-25", ["24 Feb 2013", "25 Feb 2013"]),
        ("2013-01/2013-03", ["Jan 2013", "Feb 2013", "Mar 2013"]),
        ("-0001/0001", ["2 BC", "1 BC", "1"]),
        ("2000-06/2009-05", ["2002", "2004", "2006", "2008"]),
        ("1900/1999", ["1900", "1920"]),
        ("-4711/2000", ["4000 BC", "1000 BC", "1 BC", "1000", "2000"]),
        ("2013-02-25T09:30:00Z/2013-02-25T18:00:00Z", ["10:00", "12:00", "16:00"]),
        ("2013-02-25T09:30:00Z/2013-02-25T09:30:05Z", ["09:30:00", "09:30:05"]),
        ("2013-02-20/2013-02-28", ["20 Feb 2013", "28 Feb 2013"]),
    ],
)
def test_marks_are_called_as_people_call_them(window: str, labels: list[str]) -> None:
    marks = [label for label, _ in svg._marks(svg._Axis(*parse_window(window)))]
    assert [label for label in labels if label in marks] == labels


def test_a_picture_without_events_says_so() -> None:
    empty = picture_of()
    assert "No event" in texts_of(empty)
    assert rows_of(empty) == []
    assert "No event" not in texts_of(picture_of(make()))


def test_a_picture_says_whether_there_is_more() -> None:
    more, all_ = (" ".join(texts_of(picture_of(make(), has_more=has_more))) for has_more in (True, False))
    assert "more events after these" in more
    assert "more events" not in all_


def test_a_row_says_when_and_what_with_the_whole_title_at_hand() -> None:
    title = "Talks of talks " * 20
    (row,) = rows_of(picture_of(make("2013-02", title=title, status="cancelled")))
    shown, words = texts_of(row)
    assert shown.endswith("…")
    assert title.startswith(shown.removesuffix("…"))
    assert len(shown) <= svg._MOST_CHARACTERS
    assert words == "In February 2013"
    assert row.findtext(f"{SVG}title") == f"{title}\nIn February 2013\ncancelled"
    lines: list[Any] = [one.attrib.get("text-decoration") for one in row.iter(f"{SVG}text")]
    assert lines[0] == "line-through"


def test_a_window_with_one_end_shows_where_the_events_are() -> None:
    bounded = [make("2013-02-24"), make("2013-02-26")]
    plain = svg.write_picture(COLLECTION, bounded, None, has_more=False)
    for window in (Window(DISTANT_PAST, AXIS_END), Window(0, DISTANT_FUTURE)):
        assert svg.write_picture(COLLECTION, bounded, window, has_more=False) == plain
    with pytest.raises(EdtfError):
        parse_window("../..")


def test_what_is_hardly_certain_is_not_drawn_as_if_it_were() -> None:
    """Two dates that adjoin leave two microseconds certain: the narrowest bar would cover all that is possible."""
    (row,) = rows_of(picture_of(make("2013-02-25/2013-02-26"), window=parse_window("1900/2013")))
    assert [bar.is_certain for bar in bars_of(row)] == [False]
    (row,) = rows_of(picture_of(make("2013-02-24/2013-02-28"), window=parse_window("1900/2013")))
    assert [bar.is_certain for bar in bars_of(row)] == [False, True]
