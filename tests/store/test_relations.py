"""What the database answers is what `service.dates.relate` says, for every relation, certainty and order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

import pytest

from service.dates import Answer, EdtfError, Expression, Relation, Window, parse, parse_window, relate
from service.store.counting import Counted, count_events
from service.store.database import Database
from service.store.directory import TIMELINES, create_entry
from service.store.events import create_event
from service.store.paging import read_page
from service.store.query import EventQuery, Sort, owner
from service.store.statement import Connection
from service.store.stream import stream_documents
from service.wire.directory import TimelineBody
from service.wire.event import EventBody
from tests.prove import IS_LONG

ResultT = TypeVar("ResultT")

TIMELINE = "relations"
CALLER = owner("test")
EVENTS = 300
TOPICS = ("one", "two")
# Every form at least once; the rest of the corpus is drawn from `drawn`.
FORMS = (
    "2013-02-25",
    "2013-03",
    "[2013-02-24..2013-02-28]",
    "2013-02-24/2013-02-28",
    "2012-09/..",
    "2012-09/",
    "[..2013-02-20]",
    "{2013-02-21,2013-02-28}",
    "{2013-02-21..2013-02-28}",
    "{2013-02-21,2013-02-22,2013-03}",
    "{..2013-02-20}",
    "../2013-02-20",
    "/2013-02-20",
    "[2013-02-20..]",
    "2013-X2",
    "2013-02-2X",
    "201X-02-25",
    "XXXX-02-29",
    "2013-02-20T10:00:00Z",
    "2013-24",
    "-0043-03-15",
    "Y-170000002",
    "Y170000002",
    "0000",
)
WINDOWS = (
    "2013-02",
    "2013-02-25",
    "2013-02-20/2013-02-28",
    "../2013-02-20",
    "2013-02-21/..",
    "2013",
    "2013-02-24/2013-02-26",
    "2013-02-22/2013-02-27",
    "1900/2100",
    "-0100/0100",
    "../1900",
    "2013-02-20T10:00:00Z",
    "../Y170000002",
    "Y-170000002/..",
    "2012-02-29",
)


def drawn(choose: random.Random) -> str:
    """Draw an expression about early 2013, some of them no dates."""

    def day() -> str:
        return f"2013-{choose.randint(1, 4):02}-{choose.randint(1, 28):02}"

    def unit() -> str:
        return choose.choice((day(), day(), day()[:7], f"{choose.randint(2011, 2014)}"))

    return choose.choice(
        (
            unit(),
            f"{unit()}/{unit()}",
            f"[{unit()}..{unit()}]",
            f"{{{unit()},{unit()}}}",
            f"{{{unit()},{unit()},{unit()}}}",
            f"[{unit()},{unit()}]",
            f"{unit()}/..",
            f"../{unit()}",
            f"/{unit()}",
            f"[{unit()}..]",
            f"{day()}T{choose.randint(0, 23):02}:00:00Z",
            f"2013-0X-{choose.randint(1, 28):02}",
        )
    )


def expressions() -> Iterator[str]:
    """Give the corpus: the forms, then drawn ones, the same on each run."""
    yield from FORMS
    choose = random.Random(20130220)  # noqa: S311  # a fixed corpus, no secret
    left = EVENTS - len(FORMS)
    while left:
        text = drawn(choose)
        try:
            parse(text)
        except EdtfError:
            continue
        left -= 1
        yield text


@dataclass(frozen=True)
class Corpus:
    """A database with the corpus in one timeline, and what was written: identity, expression, topics."""

    url: str
    events: dict[UUID, tuple[Expression, tuple[str, ...]]]

    def ask(self, question: Callable[[Connection], Awaitable[ResultT]]) -> ResultT:
        """Put a question to the database on a connection of its own."""
        return run(self.url, question)


def run(url: str, work: Callable[[Connection], Awaitable[ResultT]]) -> ResultT:
    async def within() -> ResultT:
        database = Database(url, pool_size=1, statement_timeout_seconds=30)
        await database.open()
        try:
            async with database.transaction() as connection:
                return await work(connection)
        finally:
            await database.close()

    return asyncio.run(within())


@pytest.fixture(scope="module")
def corpus(module_database_url: str) -> Corpus:
    choose = random.Random(1)  # noqa: S311  # a fixed corpus, no secret
    written: dict[UUID, tuple[Expression, tuple[str, ...]]] = {}

    async def write(connection: Connection) -> None:
        await create_entry(connection, TIMELINES, TimelineBody(slug=TIMELINE, title="Relations"))
        for text in expressions():
            topics = choose.choice(((), ("one",), ("two",), ("one", "two")))
            body = EventBody(title=text, when=text, status="occurred", topics=list(topics))
            event_id, _ = await create_event(connection, TIMELINE, body, CALLER)
            written[event_id] = (parse(text), topics)

    run(module_database_url, write)
    return Corpus(module_database_url, written)


def expected(corpus: Corpus, query: EventQuery) -> list[UUID]:
    """Answer a query by `relate` alone, in the order of the earliest start and then the identity."""
    assert query.window is not None
    found = []
    for event_id, (expression, topics) in corpus.events.items():
        answer = relate(query.relation, expression, query.window)
        holds = answer is Answer.CERTAIN or (query.certainty is Answer.POSSIBLE and answer is Answer.POSSIBLE)
        chosen = query.facets.get("topic", ())
        if holds and (not chosen or set(chosen) & set(topics)):
            found.append((expression.bounds.start_earliest, event_id))
    return [event_id for _, event_id in sorted(found, reverse=query.sort == "-date")]


async def walk(connection: Connection, query: EventQuery, *, limit: int) -> list[UUID]:
    """Follow the pages of a query to its end."""
    found: list[UUID] = []
    after = None
    while True:
        rows = await read_page(connection, query, CALLER, limit=limit, after=after)
        found += [UUID(json.loads(one)["id"]) for one in rows.documents]
        after = rows.end
        if after is None:
            return found


async def streamed(connection: Connection, query: EventQuery) -> list[UUID]:
    """Read a query's export."""
    return [UUID(json.loads(one)["id"]) async for batch in stream_documents(connection, query, CALLER) for one in batch]


def windows() -> list[Window]:
    return [parse_window(text) for text in WINDOWS]


@pytest.mark.parametrize("certainty", [Answer.POSSIBLE, Answer.CERTAIN])
@pytest.mark.parametrize("relation", list(Relation))
def test_the_database_answers_as_the_closed_forms_say(corpus: Corpus, relation: Relation, certainty: Answer) -> None:
    """Pages in both orders, with a leading filter and without, counts and exports all agree with `relate`."""
    facets: list[dict[str, tuple[str, ...]]] = [{}, {"topic": ("one",)}, {"topic": TOPICS}]

    async def compare(connection: Connection) -> int:
        compared = 0
        for number, window in enumerate(windows()):
            for sort in ("date", "-date"):
                order: Sort = sort
                # the short form takes one filter, in turn
                for chosen in facets if IS_LONG else [facets[(number + (sort == "date")) % len(facets)]]:
                    query = EventQuery(TIMELINE, window, relation, certainty, facets=chosen, sort=order)
                    right = expected(corpus, query)
                    assert await walk(connection, query, limit=150) == right, query
                    assert await walk(connection, replace(query, timeline=None), limit=150) == right, query
                    counted = await count_events(connection, query, CALLER, "exact")
                    assert counted == Counted(len(right), is_exact=True), query
                    assert await streamed(connection, query) == right, query
                    compared += len(right)
        return compared

    assert corpus.ask(compare) > EVENTS


@pytest.mark.parametrize("sort", ["date", "-date"])
def test_small_pages_meet_each_event_once(corpus: Corpus, sort: Sort) -> None:
    """The window's two halves join without a seam, wherever a page ends."""

    async def compare(connection: Connection) -> None:
        for window in windows():
            query = EventQuery(TIMELINE, window, sort=sort)
            assert await walk(connection, query, limit=7) == expected(corpus, query), query

    corpus.ask(compare)


def test_the_corpus_holds_every_answer(corpus: Corpus) -> None:
    """Each relation is certain of some event, possible of some, impossible of some: no test passes on nothing."""
    for relation in Relation:
        answers = {
            relate(relation, expression, window) for expression, _ in corpus.events.values() for window in windows()
        }
        assert answers == set(Answer), relation
