"""What is asked to learn what grows: pages, counts and histograms, of the present and of what was known back then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow

from bench.chance import made_up_words
from bench.events import SEED, TIMELINE
from bench.histogram import questions as histograms
from bench.questions import ALL, MONTH, Question, questions
from service.dates import Unit
from service.store.adapters import register
from service.store.counting import Count, count_events
from service.store.histogram import read_histogram
from service.store.paging import read_page
from service.store.query import EventQuery, Keyset, owner, timeline_id_of
from service.store.statement import Connection

PAGE_EVENTS = 50
FAR_EVENTS = 100_000
# The most milliseconds that a histogram may take, of a whole timeline and of what a narrow filter leaves of it.
WHOLE_MS, NARROW_MS = 50.0, 300.0
_CALLER = owner("bench")

# Half of all states had been reported by then.
_MOMENT = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY reported_at) FROM event_state"
_FAR = """
SELECT start_earliest, event_id, timeline_id FROM event WHERE timeline_id = %s
 ORDER BY start_earliest, event_id OFFSET %s LIMIT 1
"""
_COUNTED = ("everything, date", "a day, date", "a month, date", "ten years, date")


class Asked(NamedTuple):
    """A question, how it is asked, and the most that it may take, where that does not depend on a smaller timeline.

    Asking it answers how many events, or buckets, that gave.
    """

    name: str
    ask: Callable[[Connection], Awaitable[int]]
    most_ms: float | None = None


def asked_of(url: str, moment: int | None) -> Iterator[Asked]:
    """Yield what is asked of a database; of the past too, where a moment of it is given."""
    asked = [*questions(), *_far(url), *_words()]
    for question in asked:
        yield Asked(question.name, _page(question))
    for question in asked:
        if question.name in _COUNTED or ("a month" in question.name and question.query.sort == "date"):
            yield Asked(f"{question.name}: estimated", partial(_count, question.query, "estimated"))
    yield Asked("everything: exact", partial(_count, ALL, "exact"))
    if moment is not None:
        for question in asked:
            then = question._replace(query=replace(question.query, known_at=moment))
            yield Asked(f"{question.name}, as known then", _page(then))
            if question.name in _COUNTED:
                yield Asked(f"{question.name}, as known then: estimated", partial(_count, then.query, "estimated"))
    for name, query, unit in histograms():
        most_ms = WHOLE_MS if name.startswith("all") else NARROW_MS
        yield Asked(f"histogram, {name}, by {unit}", partial(_histogram, query, unit), most_ms)


def middle_moment(url: str) -> int | None:
    """Find when half of all states had been reported; None where there are none."""
    moment: int | None = _rows(url, _MOMENT)[0][0]
    return moment


def _far(url: str) -> Iterator[Question]:
    """Yield pages that so many events precede, of everything and of what is narrower."""
    count = _rows(url, "SELECT count(*) FROM event")[0][0]
    after = Keyset(*_rows(url, _FAR, timeline_id_of(TIMELINE), min(FAR_EVENTS, count // 2))[0])
    yield Question(f"everything, after {FAR_EVENTS:,}", ALL, after)


def _words() -> Iterator[Question]:
    """Yield what is neither common nor rare: words of some two in a thousand events, and of two in ten thousand."""
    words = made_up_words(20_000, SEED)
    for name, word in (("less common", words[1_000]), ("uncommon", words[10_000])):
        yield Question(f"{name} word", replace(ALL, text=word))
        yield Question(f"{name} word, a month", replace(MONTH, text=word))


def _rows(url: str, statement: str, *values: object) -> list[TupleRow]:
    with psycopg.connect(url, autocommit=True) as connection:
        register(connection)
        return connection.cursor(binary=True).execute(statement.encode(), values).fetchall()


def _page(question: Question) -> Callable[[Connection], Awaitable[int]]:
    async def ask(connection: Connection) -> int:
        rows = await read_page(connection, question.query, _CALLER, limit=PAGE_EVENTS, after=question.after)
        return len(rows.documents)

    return ask


async def _count(query: EventQuery, how: Count, connection: Connection) -> int:
    counted = await count_events(connection, query, _CALLER, how)
    return counted.events if counted else 0


async def _histogram(query: EventQuery, unit: Unit, connection: Connection) -> int:
    return len(await read_histogram(connection, query, _CALLER, unit))
