"""A calendar holds what can be known of when, in lines that every calendar reads."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from icalendar import Calendar, vUnknown

from service.dates import DISTANT_FUTURE, DISTANT_PAST, parse
from service.formats.ical import ICalendarWriter
from service.formats.writing import Batch, Collection
from service.wire.directory import Coordinates
from service.wire.event import Event
from tests.formats.making import (
    COLLECTION,
    RECORDED_AT,
    SERVICE,
    batch,
    events,
    make,
    names,
    proses,
    thorough,
    whens,
    written,
)

When = date | datetime
SECOND = 1_000_000
DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def calendar_of(*batches: Batch, collection: Collection = COLLECTION) -> Any:  # noqa: ANN401  # typed in parts only
    """Write a calendar, and read it with the library."""
    return Calendar.from_ical(written(ICalendarWriter(collection), *batches).decode())


def entry_of(event: Event, **places: Coordinates) -> Any:  # noqa: ANN401  # as above
    """Write an event that a calendar can hold, and read it."""
    (entry,) = calendar_of(batch(event, places=places)).events
    return entry


def readable(text: str) -> str:
    """Give a text as a calendar can hold it: lines end in one way, and there are no control characters (3.1)."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", re.sub("\r\n?", "\n", text))


def text_of(component: Any, name: str) -> str:  # noqa: ANN401  # as above
    """Read a text; of a property that it does not know the library leaves the signs as they are (3.8.8.2: a text)."""
    found = component.get(name, "")
    return re.sub(r"\\(.)", _unescaped, found) if isinstance(found, vUnknown) else str(found)


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] in "nN" else escape[1]


def microseconds(when: When) -> int:
    """Give an instant as the dates do."""
    moment = when if isinstance(when, datetime) else datetime(when.year, when.month, when.day, tzinfo=UTC)
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@thorough
@given(events(), names, proses)
@example(make(title="C:\\New\\nothing\\\\N\r\n\x01;,\x7f"), "\\N\r\x0b", "\ufeff\ufeff")
def test_lines_are_short_and_plain_and_say_what_was_to_be_said(event: Event, title: str, description: str) -> None:
    collection = Collection(title, description, SERVICE, COLLECTION.address)
    content = written(ICalendarWriter(collection), batch(event))
    *lines, last = content.split(b"\r\n")
    assert last == b""
    assert all(len(line) <= 75 for line in lines)
    assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", b"".join(lines))
    assert all(line.decode() for line in lines)
    assert (lines[0], lines[-1]) == (b"BEGIN:VCALENDAR", b"END:VCALENDAR")
    calendar: Any = Calendar.from_ical(content.decode())
    assert not calendar.errors
    assert text_of(calendar, "name") == text_of(calendar, "x-wr-calname") == readable(title)
    assert text_of(calendar, "description") == text_of(calendar, "x-wr-caldesc") == readable(description)
    for entry in calendar.events:
        assert not entry.errors
        assert readable(event.title) in entry["summary"]
        assert text_of(entry, "x-dateline-when") == event.when
        assert text_of(entry, "x-dateline-status") == event.status
        assert readable(event.summary or "") in entry["description"]
        assert all(readable(one.quote or "") in text_of(entry, "description") for one in event.claims)
        assert entry.get("location") == (None if event.place is None else readable(event.place.name))
        assert entry.categories == [event.kind, *event.topics]


@pytest.mark.parametrize(
    ("when", "start", "end", "words"),
    [
        ("2013-02-25", date(2013, 2, 25), date(2013, 2, 26), None),
        ("2013-02-25?", date(2013, 2, 25), date(2013, 2, 26), "possibly on 25 February 2013"),
        ("2013-02-25~", date(2013, 2, 25), date(2013, 2, 26), "around 25 February 2013"),
        ("2012-02", date(2012, 2, 1), date(2012, 3, 1), "in February 2012"),
        ("2013", date(2013, 1, 1), date(2014, 1, 1), "in 2013"),
        ("2013-02-24/2013-02-26", date(2013, 2, 24), date(2013, 2, 27), None),
        ("2013-02-24/2013-03", date(2013, 2, 24), date(2013, 4, 1), "from 24 February 2013 to March 2013"),
        ("[2013-02-24..2013-02-28]", date(2013, 2, 24), date(2013, 3, 1), "on one of 24–28 February 2013"),
        ("{2013-02-24,2013-02-28}", date(2013, 2, 24), date(2013, 3, 1), "on 24 and 28 February 2013"),
        ("{2013-02-24,2013-02-25}", date(2013, 2, 24), date(2013, 2, 26), None),
        ("2012-09/..", date(2012, 9, 1), date(2012, 10, 1), "from September 2012, not ended"),
        ("2012-09-05/..", date(2012, 9, 5), date(2012, 9, 6), "from 5 September 2012, not ended"),
        ("2012-09-05/", date(2012, 9, 5), date(2012, 9, 6), "from 5 September 2012, end unknown"),
        ("[..2013-02-20]", date(2013, 2, 20), date(2013, 2, 21), "on or before 20 February 2013"),
        ("/2013-02-20", date(2013, 2, 20), date(2013, 2, 21), "until 20 February 2013, start unknown"),
        ("../2013-02-20", date(2013, 2, 20), date(2013, 2, 21), "until 20 February 2013, without beginning"),
        ("../2013-02", date(2013, 2, 1), date(2013, 3, 1), "until February 2013, without beginning"),
        ("[2013-02-15..]", date(2013, 2, 15), date(2013, 2, 16), "on or after 15 February 2013"),
        (
            "2013-02-25T10:00:00+02:00",
            datetime(2013, 2, 25, 8, tzinfo=UTC),
            None,
            None,
        ),
        (
            "2013-02-25T10:00:00Z/2013-02-25T11:30:00Z",
            datetime(2013, 2, 25, 10, tzinfo=UTC),
            datetime(2013, 2, 25, 11, 30, tzinfo=UTC),
            None,
        ),
        (
            "/2013-02-25T10:00:00Z",
            datetime(2013, 2, 25, 10, tzinfo=UTC),
            None,
            "until 10:00:00 UTC on 25 February 2013, start unknown",
        ),
        (
            "2013-02-24/2013-02-25T10:00:00Z",
            datetime(2013, 2, 24, tzinfo=UTC),
            datetime(2013, 2, 25, 10, tzinfo=UTC),
            "from 24 February 2013 to 10:00:00 UTC on 25 February 2013",
        ),
        (
            "2013-02-24T00:00:00Z/2013-02-24T23:59:59Z",
            datetime(2013, 2, 24, tzinfo=UTC),
            datetime(2013, 2, 24, 23, 59, 59, tzinfo=UTC),
            None,
        ),
        ("0001", date(1, 1, 1), date(2, 1, 1), "in AD 1"),
        ("9999-12-30", date(9999, 12, 30), date(9999, 12, 31), None),
    ],
)
def test_an_entry_lasts_as_long_as_the_event_may_and_says_in_words_what_is_less_certain(
    when: str, start: When, end: When | None, words: str | None
) -> None:
    entry = entry_of(make(when))
    assert (entry["dtstart"].dt, entry["dtend"].dt if "dtend" in entry else None) == (start, end)
    assert entry["summary"] == ("Talks" if words is None else f"Talks ({words})")


@pytest.mark.parametrize(
    "when", ["-0043-03-15", "0000", "Y170000002", "Y-170000002", "0000/2013", "2013/Y12013", "9999", "[..1984,2000..]"]
)
def test_what_no_calendar_can_hold_is_left_out(when: str) -> None:
    """An entry ends with the first instant after, which of the year 9999 has five digits."""
    calendar = calendar_of(batch(make(when), make("2013", title="Kept")))
    assert [entry["summary"] for entry in calendar.events] == ["Kept (in 2013)"]


@thorough
@given(whens)
def test_an_entry_goes_from_where_the_event_may_begin_to_where_it_may_end(when: str) -> None:
    bounds = parse(when).bounds
    found = calendar_of(batch(make(when))).events
    first, last = microseconds(datetime(1, 1, 1, tzinfo=UTC)), microseconds(datetime(9999, 12, 31, tzinfo=UTC))
    start, end = bounds.start_earliest, bounds.end_latest
    if first <= start and end <= last:
        assert len(found) == 1
    for entry in found:
        begins = entry["dtstart"].dt
        is_timed = isinstance(begins, datetime)
        if start > DISTANT_PAST and end < DISTANT_FUTURE:
            assert is_timed == (parse(when).precision == "second" or start % DAY != 0 or end % DAY != 0)
        assert start in (DISTANT_PAST, microseconds(begins))
        # what ends within a second ends as that begins, and an entry without an end as it begins
        ends = microseconds(entry["dtend"].dt) if "dtend" in entry else microseconds(begins)
        assert end == DISTANT_FUTURE or end - (SECOND if is_timed else 0) <= ends <= end
        assert ("dtend" in entry) == (microseconds(begins) < ends)


@pytest.mark.parametrize(
    ("status", "written_as"),
    [
        ("tentative", "TENTATIVE"),
        ("planned", "CONFIRMED"),
        ("occurred", "CONFIRMED"),
        ("postponed", "TENTATIVE"),
        ("cancelled", "CANCELLED"),
    ],
)
def test_each_status_has_one_that_calendars_know(status: str, written_as: str) -> None:
    entry = entry_of(make(status=status))
    assert (entry["status"], entry["x-dateline-status"]) == (written_as, status)


def test_an_identity_is_told_apart_in_each_timeline() -> None:
    first, second = make(timeline="a"), make(timeline="b")
    assert first.id == second.id
    uids = [str(entry["uid"]) for entry in calendar_of(batch(first), batch(second)).events]
    assert uids == [f"{first.id}@a", f"{first.id}@b"]


def test_an_entry_counts_its_changes_and_tells_when_they_were_recorded() -> None:
    first = make("2013-02-24")
    second = make("2013-02-25", former=first, recorded_at=RECORDED_AT + 3_600_500_000, reason="Delayed")
    entry = entry_of(second)
    assert (entry_of(first)["sequence"], entry["sequence"]) == (0, 1)
    changed = datetime(2013, 2, 26, 1, tzinfo=UTC)
    assert (entry["dtstamp"].dt, entry["last-modified"].dt) == (changed, changed)
    assert entry["created"].dt == datetime(2013, 2, 26, tzinfo=UTC)
    assert "Formerly on 24 February 2013: Delayed" in entry["description"]


@pytest.mark.parametrize(
    ("where", "geo"),
    [(Coordinates(55.75, -37.625), b"55.750000;-37.625000"), (Coordinates(0.00001, -0.0000001), b"0.000010;-0.000000")],
)
def test_an_entry_says_where_it_is_if_the_directory_knows(where: Coordinates, geo: bytes) -> None:
    """A number has no exponent (RFC 5545, section 3.3.7)."""
    event = make(place={"place": "moscow", "name": "The Kremlin"})
    entry = entry_of(event, moscow=where)
    assert entry["location"] == "The Kremlin"
    content = written(ICalendarWriter(COLLECTION), batch(event, places={"moscow": where}))
    assert b"\r\nGEO:%b\r\n" % geo in content
    assert "geo" not in entry_of(event, damascus=where)
    assert "geo" not in entry_of(make(), moscow=where)


def test_a_whole_date_is_written_as_text() -> None:
    content = written(ICalendarWriter(COLLECTION), batch(make("[2013-02-24,2013-02-25]")))
    assert b"\r\nX-DATELINE-WHEN:[2013-02-24\\,2013-02-25]\r\n" in content


def test_batches_are_one_calendar() -> None:
    empty = written(ICalendarWriter(COLLECTION))
    content = written(ICalendarWriter(COLLECTION), batch(make(), make("2014")), batch(), batch(make("-0043"), make()))
    assert len(Calendar.from_ical(empty.decode()).events) == 0
    assert len(Calendar.from_ical(content.decode()).events) == 3
    for name in (b"BEGIN:VCALENDAR", b"END:VCALENDAR", b"VERSION:2.0"):
        assert (empty.count(name), content.count(name)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "summary"),
    [
        ("planned", "Talks"),
        ("occurred", "Talks"),
        ("tentative", "Tentative: Talks"),
        ("postponed", "Postponed: Talks"),
        ("cancelled", "Cancelled: Talks"),
    ],
)
def test_a_summary_says_first_that_it_does_not_or_may_not_take_place(status: str, summary: str) -> None:
    """Who looks at a calendar sees no more of an entry, and many calendars show no status."""
    assert entry_of(make("2013-02-25", title="Talks", status=status))["summary"] == summary
