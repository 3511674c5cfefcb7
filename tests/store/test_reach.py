"""An event's reach is the class of its length, and the last moment of the longest of each class is still found."""

from __future__ import annotations

import asyncio

from service.dates import parse_window
from service.store.database import Database
from service.store.directory import TIMELINES, create_entry
from service.store.events import create_event
from service.store.paging import read_page
from service.store.query import EventQuery, Sort, owner
from service.tables import REACHES
from service.wire.directory import TimelineBody
from service.wire.event import Event, EventBody

TIMELINE = "reach"
CALLER = owner("test")
ORDERS: tuple[Sort, ...] = ("date", "-date")
# The longest of each class and one a little longer, with the day on which it may last go on.
LENGTHS = (
    ("2013-02-25", 0, "2013-02-25T23:59:59Z"),
    ("2013-02-25/2013-02-26", 1, "2013-02-26"),
    ("2013-01-01/2013-02-01", 1, "2013-02-01"),
    ("2013-01-01/2013-02-02", 2, "2013-02-02"),
    ("2012", 2, "2012-12-31"),
    ("2012-01-01/2013-01-01", 3, "2013-01-01"),
    ("2002/2012", 3, "2012-12-31"),
    ("2002-01-01/2013-01-01", 4, "2013-01-01"),
    ("1900/2000", 4, "2000-12-31"),
    ("1900-01-01/2001-01-01", 5, "2001-01-01"),
    ("-4000/Y100000", 5, "2001-01-01"),
    ("-4000/Y294000", 5, "2001-01-01"),
    ("Y200000/Y200001", 3, "Y200001"),
    ("../2013-02-25", 5, "2013-02-25"),
    ("2013-02-25/..", 6, "2100"),
    ("Y-200000/..", 6, "2100"),
)


async def find_each(url: str) -> dict[str, tuple[int, set[Sort]]]:
    """Store all the events, look for each where it ends, and answer its reach and the orders that found it."""
    answers: dict[str, tuple[int, set[Sort]]] = {}
    database = Database(url, pool_size=1, statement_timeout_seconds=30)
    await database.open()
    try:
        async with database.transaction() as connection:
            await create_entry(connection, TIMELINES, TimelineBody(slug=TIMELINE, title="Reach"))
            for when, _, last in LENGTHS:
                await create_event(connection, TIMELINE, EventBody(title=when, when=when, status="occurred"), CALLER)
                row = await (await connection.execute("SELECT reach FROM event WHERE edtf = %s", [when])).fetchone()
                answers[when] = (row[0] if row else -1, set())
                for sort in ORDERS:
                    query = EventQuery(TIMELINE, window=parse_window(last), sort=sort)
                    page = await read_page(connection, query, CALLER, limit=50, after=None)
                    if any(Event.model_validate_json(document).when == when for document in page.documents):
                        answers[when][1].add(sort)
    finally:
        await database.close()
    return answers


def test_the_longest_of_each_reach_is_found_to_its_end(database_url: str) -> None:
    expected = {when: (reach, set(ORDERS)) for when, reach, _ in LENGTHS}
    assert asyncio.run(find_each(database_url)) == expected
    assert {reach for reach, _ in expected.values()} == set(REACHES)
