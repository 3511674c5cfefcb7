"""A bucket counts what a range query of that bucket finds: for every unit, filter and clock, whatever the date."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cache
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dates import (
    AXIS_END,
    AXIS_START,
    DISTANT_FUTURE,
    DISTANT_PAST,
    Answer,
    Expression,
    Relation,
    Unit,
    Window,
    axis_buckets,
    bucket_of,
    bucket_start,
    parse,
    parse_window,
    relate,
)
from service.store.adapters import At
from service.store.counting import Counted, count_events
from service.store.directory import SOURCES, TIMELINES, create_entry
from service.store.events import create_event
from service.store.histogram import MOST_BUCKETS, Histogram, read_histogram
from service.store.histogram_upkeep import fold
from service.store.query import EventQuery, timeline_id_of
from service.store.statement import Connection
from service.wire.directory import SourceBody, TimelineBody
from service.wire.event import EventBody
from tests.dates.completions import exists, is_countable
from tests.dates.trees import trees
from tests.prove import IS_LONG
from tests.store.test_relations import CALLER, expressions, run

TIMELINE, ENDS = "histogram", "ends"
TOPICS = ("one", "two")
# What has pieces far apart, side by side, or in one bucket; what lies about year 0.
FORMS = (
    "0000",
    "-0001",
    "-0009/-0001",
    "-000X",
    "-001X",
    "-00XX",
    "000X",
    "{-0010,-0009,0000,0001}",
    "{2013-02-21,2013-02-22T10:00:00Z,2013-02-22T12:00:00Z}",
    "{2013-02,2013-03,2013-05}",
    "{2012-12-31,2013-01-01}",
    "{2013-12-30,2014-01-05}",
    "[2013-02-01,2013-02-28,2013-03-31]",
    "2013-34",
    "2013-24",
    "2013-40",
    "20XX-01-01",
    "1XXX-12",
    "1560-X2",
    "2013-XX-31",
)
# How many buckets of a histogram are held to the brute force, and beside how many ends; how many drawings are.
SAMPLE, ENDS_TRIED, DRAWN = (20, 10, 1_000) if IS_LONG else (8, 4, 80)
WINDOWS = ("2013-02-11/2013-03-20", "2000/..", "../2013-02", "-0043/0043")
# What lies at the ends of the axis, and beyond; some buckets reach over them.
FORMS_AT_THE_ENDS = (
    "-4712-01-01",
    "-4712-01-02/-4712-01-05",
    "[..-4712-01-01]",
    "[..-4712-01-02]",
    "[..-4710]",
    "../-4711",
    "/-4711",
    "-47XX",
    "-471X",
    "{..-4711,-4000}",
    "{-4712-01-01,-4712-01-03,-4711}",
    "-4712-01-01/..",
    "Y-170000002",
    "Y294276",
    "[Y294276..]",
    "[Y294270..]",
    "Y294270/",
    "{Y294200,Y294276..}",
    "Y170000002",
)
WINDOWS_AT_THE_ENDS = ("../-4712-02", "-4712/-4712-06", "../-4600", "Y294276/..", "Y294275/Y294276", "Y294100/..", "..")


@dataclass
class Corpus:
    """A database, and the expressions in it with their topics, by timeline."""

    url: str
    events: dict[str, list[tuple[Expression, tuple[str, ...]]]] = field(default_factory=dict)

    def chosen(self, timeline: str, topics: tuple[str, ...] = ()) -> tuple[Expression, ...]:
        return tuple(one for one, its in self.events[timeline] if not topics or set(topics) & set(its))


@pytest.fixture(scope="module")
def corpus(module_database_url: str) -> Corpus:
    choose = random.Random(2)  # noqa: S311  # a fixed corpus, no secret
    made = Corpus(module_database_url)

    async def fill(connection: Connection) -> None:
        await create_entry(connection, SOURCES, SourceBody(slug="paper", title="A paper"))
        near = [text for text in (*FORMS, *expressions()) if "Y" not in text]
        for timeline, texts in ((TIMELINE, near), (ENDS, FORMS_AT_THE_ENDS)):
            await create_entry(connection, TIMELINES, TimelineBody(slug=timeline, title="Histogram"))
            made.events[timeline] = []
            for text in texts:
                topics = choose.choice(((), ("one",), ("two",), ("one", "two")))
                claims = [{"source": "paper"}, {"source": "paper"}] if "one" in topics else []
                body = {"title": "A date", "when": text, "status": "occurred", "topics": topics, "claims": claims}
                await create_event(connection, timeline, EventBody.model_validate(body), CALLER)
                made.events[timeline].append((parse(text), topics))

    run(module_database_url, fill)
    return made


def window_of(unit: Unit, number: int) -> Window:
    """Give a bucket as the window that a client's EDTF would be read as."""
    start, end = bucket_start(unit, number), bucket_start(unit, number + 1)
    return Window(DISTANT_PAST if start < AXIS_START else start, DISTANT_FUTURE if end > AXIS_END else end)


def brute_force(expressions: tuple[Expression, ...], window: Window) -> tuple[int, int]:
    """Count what is certainly, and what is possibly, in a window."""
    answers = [relate(Relation.INTERSECTS, one, window) for one in expressions]
    certain = answers.count(Answer.CERTAIN)
    return certain, certain + answers.count(Answer.POSSIBLE)


_LEVELS = (Answer.IMPOSSIBLE, Answer.POSSIBLE, Answer.CERTAIN)


@cache
def ends_of(unit: Unit, expressions: tuple[Expression, ...]) -> list[int]:
    """Name the buckets in which something begins or ends, possibly or certainly, by a look at its neighbours."""
    found: set[int] = set()
    for one in expressions:
        instants = {end for piece in one.pieces or () for end in piece} | set(one.bounds)
        near = {bucket_of(unit, end) + step for end in instants if abs(end) < DISTANT_FUTURE for step in (-1, 0, 1)}
        levels = {}
        for number in near | {number + step for number in near for step in (-1, 1)}:
            levels[number] = _LEVELS.index(relate(Relation.INTERSECTS, one, window_of(unit, number)))
        found |= {number for number in near if levels[number] > min(levels[number - 1], levels[number + 1])}
    return sorted(found)


def check_ends(window: Window | None, found: Histogram, ends: list[int]) -> None:
    """Hold a histogram's own ends to what it is asked for, and to where something begins or ends."""
    window = window or Window(DISTANT_PAST, DISTANT_FUTURE)
    first = bucket_of(found.unit, window.start) if window.start > DISTANT_PAST else None
    last = bucket_of(found.unit, window.end - 1) if window.end < DISTANT_FUTURE else None
    inside = [end for end in ends if (first is None or first <= end) and (last is None or end <= last)]
    if first is None:
        first = inside[0] if inside else last
    if last is None:
        last = inside[-1] if inside else first
    if first is None or last is None:
        assert len(found) == 0
    else:
        assert (found.first, found.last) == (first, last)


def check_counts(found: Histogram, expressions: tuple[Expression, ...], near: list[int]) -> None:
    """Hold the counts of a sample, and of buckets near some others, to the brute force."""
    if len(found) > MOST_BUCKETS:
        return
    buckets = list(found)
    assert len(buckets) == len(found)
    choose = random.Random(len(buckets))  # noqa: S311  # a fixed sample, no secret
    places = choose.sample(range(len(buckets)), min(SAMPLE, len(buckets)))
    places += [
        end - found.first + step for end in choose.sample(near, min(ENDS_TRIED, len(near))) for step in (-1, 0, 1)
    ]
    for place in set(places) & set(range(len(buckets))):
        bucket, number = buckets[place], found.first + place
        assert (bucket.start, bucket.end) == (bucket_start(found.unit, number), bucket_start(found.unit, number + 1))
        right = brute_force(expressions, window_of(found.unit, number))
        assert (bucket.certain, bucket.possible) == right, (found.unit, number)


# The same events, chosen in every way that a statement is made for.
FILTERS: dict[str, tuple[EventQuery, tuple[str, ...]]] = {
    "none": (EventQuery(TIMELINE), ()),
    "a topic": (EventQuery(TIMELINE, facets={"topic": ("one",)}), ("one",)),
    "several topics": (EventQuery(TIMELINE, facets={"topic": TOPICS}), TOPICS),
    "two filters": (EventQuery(TIMELINE, facets={"topic": ("two",), "status": ("occurred",)}), ("two",)),
    "a status": (EventQuery(TIMELINE, facets={"status": ("occurred", "planned")}), ()),
    "not overdue": (EventQuery(TIMELINE, overdue=False), ()),
    "undisputed": (EventQuery(TIMELINE, disputed=False), ()),
    "a word": (EventQuery(TIMELINE, text="date"), ()),
    "a source": (EventQuery(TIMELINE, facets={"source": ("paper",)}), ("one",)),
    "as known": (EventQuery(TIMELINE, known_at=AXIS_END), ()),
    "a topic as known": (EventQuery(TIMELINE, facets={"topic": ("one",)}, known_at=AXIS_END), ("one",)),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_histogram_counts_what_the_closed_forms_say(corpus: Corpus, name: str) -> None:
    """In every unit, of every window, open or not."""
    query, topics = FILTERS[name]
    expressions = corpus.chosen(TIMELINE, topics)

    async def compare(connection: Connection) -> None:
        for unit in Unit:
            ends = ends_of(unit, expressions)
            for window in (None, *(parse_window(text) for text in WINDOWS)):
                found = await read_histogram(connection, replace(query, window=window), CALLER, unit)
                check_ends(window, found, ends)
                check_counts(found, expressions, ends)

    run(corpus.url, compare)


@pytest.mark.parametrize("disputed", [None, False])
def test_the_ends_of_the_axis_are_counted_too(corpus: Corpus, *, disputed: bool | None) -> None:
    """What a bucket that reaches over the axis' end counts is what an open window does."""
    query, expressions = EventQuery(ENDS, disputed=disputed), corpus.chosen(ENDS)

    async def compare(connection: Connection) -> None:
        for unit in Unit:
            for text in WINDOWS_AT_THE_ENDS:
                window = None if text == ".." else parse_window(text)
                found = await read_histogram(connection, replace(query, window=window), CALLER, unit)
                if window is None:
                    assert (found.first, found.last) == axis_buckets(unit)
                check_counts(found, expressions, [])

    run(corpus.url, compare)


_PIECES = "(SELECT range_agg(tstzrange(NULLIF(s, '-infinity'), NULLIF(e, 'infinity'))) FROM unnest({}, {}) AS p (s, e))"
_APPEND = (
    "INSERT INTO histogram_change (timeline_id, events, start_earliest, start_latest, end_earliest, end_latest, pieces,"  # noqa: S608  # no value of a client's
    f" every_piece) VALUES (%s, 1, %s, %s, %s, %s, {_PIECES.format('%s::timestamptz[]', '%s::timestamptz[]')}, %s)"
)


async def append(connection: Connection, timeline: str, one: Expression) -> None:
    """Have an event counted, as the writing of one does."""
    pieces = one.pieces and [[At(end) for end in ends] for ends in zip(*one.pieces, strict=True)]
    bounds = [At(instant) for instant in one.bounds]
    row = [timeline_id_of(timeline), *bounds, *(pieces or (None, None)), pieces is not None and one.every]
    await connection.execute(_APPEND, row)


def drawn() -> st.SearchStrategy[Expression]:
    return trees().filter(is_countable).filter(exists).map(str).map(parse)


@settings(max_examples=DRAWN, deadline=None, derandomize=not IS_LONG)
@given(data=st.data())
def test_any_expressions_are_counted_as_the_closed_forms_say(corpus: Corpus, data: st.DataObject) -> None:
    """From what has changed, and once that is folded into the summary."""
    expressions = tuple(data.draw(st.lists(drawn(), min_size=1, max_size=4)))
    unit = data.draw(st.sampled_from(Unit))
    ends = ends_of(unit, expressions)
    start = data.draw(st.sampled_from(ends or [0])) + data.draw(st.integers(-3, 3))
    window = data.draw(
        st.sampled_from(
            (
                None,
                Window(bucket_start(unit, start), bucket_start(unit, start + 30)),
                Window(bucket_start(unit, start), DISTANT_FUTURE),
                Window(DISTANT_PAST, bucket_start(unit, start)),
            )
        )
    )
    query = EventQuery(uuid4().hex, window)

    async def compare(connection: Connection) -> None:
        for one in expressions:
            await append(connection, str(query.timeline), one)
        for _ in ("changed", "folded"):
            found = await read_histogram(connection, query, CALLER, unit)
            check_ends(window, found, ends)
            check_counts(found, expressions, ends)
            await fold(connection, timeline_id_of(str(query.timeline)))

    run(corpus.url, compare)


def test_a_bucket_counts_what_a_range_query_counts(corpus: Corpus) -> None:
    async def compare(connection: Connection) -> int:
        total = 0
        asked_for = {
            Unit.WEEK: "2013-02",
            Unit.MONTH: "2012-12/2013-04",
            Unit.DECADE: "-0020/0020",
            Unit.CENTURY: "17XX/..",
        }
        for unit, text in asked_for.items():
            for query, _ in FILTERS.values():
                found = await read_histogram(connection, replace(query, window=parse_window(text)), CALLER, unit)
                for number, bucket in enumerate(found, start=found.first):
                    asked = replace(query, window=window_of(unit, number))
                    for certainty, count in ((Answer.CERTAIN, bucket.certain), (Answer.POSSIBLE, bucket.possible)):
                        exactly = await count_events(connection, replace(asked, certainty=certainty), CALLER, "exact")
                        assert exactly == Counted(count, is_exact=True), (query, unit, number, certainty)
                    total += bucket.possible
        return total

    assert run(corpus.url, compare) > 0
