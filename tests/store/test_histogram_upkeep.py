"""A summary and what is not folded into it come to what the events come to, whatever is written, folded and rebuilt."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

import psycopg
import pytest
from typer.testing import CliRunner

from service.cli import app
from service.dates import EdtfError, Unit, parse
from service.errors import NotFound
from service.recounting import check_histograms, rebuild_histograms
from service.store.database import Database
from service.store.directory import TIMELINES, create_entry
from service.store.events import create_event, put_event, retire_event
from service.store.expectation import Expectation
from service.store.histogram import Bucket, read_histogram
from service.store.histogram_upkeep import count_faults, fold_all, mend
from service.store.query import EventQuery
from service.store.record import new_id, purge_event
from service.store.statement import Connection
from service.wire.directory import TimelineBody
from service.wire.event import EventBody
from tests.store.test_relations import CALLER, drawn, run

TIMELINE = "upkeep"
WRITERS, WRITES = 4, 60
ANY = Expectation(any_version=True)


def dates(choose: random.Random) -> Iterator[str]:
    """Draw dates without end."""
    while True:
        text = drawn(choose)
        with suppress(EdtfError):
            parse(text)
            yield text


def body(when: str) -> EventBody:
    return EventBody(title="A date", when=when, status="occurred")


async def make_timeline(connection: Connection, slug: str = TIMELINE) -> None:
    await create_entry(connection, TIMELINES, TimelineBody(slug=slug, title="Upkeep"))


async def both(connection: Connection) -> list[tuple[list[Bucket], list[Bucket]]]:
    """Read every unit's histogram from the summary, and from the events: nothing is disputed."""
    pairs = []
    for unit in Unit:
        kept = await read_histogram(connection, EventQuery(TIMELINE), CALLER, unit)
        made = await read_histogram(connection, EventQuery(TIMELINE, disputed=False), CALLER, unit)
        pairs.append((list(kept), list(made)))
    return pairs


def rows(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  # a table of ours
    return row[0] if row else 0


async def write_at_random(database: Database, number: int) -> None:
    """Create, move, retitle, delete, revive and purge events; some transactions fail, and leave nothing."""
    choose = random.Random(number)  # noqa: S311  # fixed, no secret
    whens = dates(choose)
    mine: list[UUID] = []
    gone: set[UUID] = set()
    for _ in range(WRITES):
        when = next(whens)
        with suppress(ZeroDivisionError):
            async with database.transaction() as connection:
                action = choose.choice(("create", "create", "move", "move", "retitle", "delete", "purge", "fail"))
                one = choose.choice(mine) if mine else None
                if action == "create" or one is None:
                    mine.append((await create_event(connection, TIMELINE, body(when), CALLER))[0])
                elif action == "purge":
                    await purge_event(connection, TIMELINE, one)
                    mine.remove(one)
                    gone.discard(one)
                elif action == "delete" and one not in gone:
                    await retire_event(connection, TIMELINE, one, ANY, CALLER)
                    gone.add(one)
                else:
                    expected = Expectation() if one in gone else ANY
                    await put_event(connection, TIMELINE, one, body(when), expected, CALLER)
                    gone.discard(one)
                    if action == "fail":
                        await put_event(connection, TIMELINE, new_id(), body(when), Expectation(), CALLER)
                        gone |= {one} if expected is not ANY else set()
                        raise ZeroDivisionError


def test_writers_folders_and_rebuilders_at_once_lose_nothing(database_url: str) -> None:
    run(database_url, make_timeline)

    async def work() -> list[int]:
        database = Database(database_url, pool_size=WRITERS + 3, statement_timeout_seconds=30)
        await database.open()
        done = asyncio.Event()

        async def keep(at_a_time: float) -> list[int]:
            faults = []
            while not done.is_set():
                await fold_all(database)
                async with database.transaction() as connection:
                    faults.append(await count_faults(connection, TIMELINE))
                    faults.append(await mend(connection, TIMELINE))
                for kept, made in await _in_one_view(database):
                    assert kept == made
                await asyncio.sleep(at_a_time)
            return faults

        try:
            keeping = [asyncio.create_task(keep(pause)) for pause in (0.0, 0.01)]
            await asyncio.gather(*(write_at_random(database, number) for number in range(WRITERS)))
            done.set()
            return [fault for faults in await asyncio.gather(*keeping) for fault in faults]
        finally:
            await database.close()

    faults = asyncio.run(work())
    assert len(faults) > 10
    assert set(faults) == {0}
    assert check_histograms(database_url) == {TIMELINE: 0}
    for kept, made in run(database_url, both):
        assert kept == made
    assert any(bucket.possible for bucket in run(database_url, both)[0][0])


async def _in_one_view(database: Database) -> list[tuple[list[Bucket], list[Bucket]]]:
    async with database.export() as connection:
        return await both(connection)


def test_folding_empties_what_is_waiting_and_changes_no_answer(database_url: str) -> None:
    async def fill(connection: Connection) -> None:
        await make_timeline(connection)
        for when in ("2013-02-25", "2013-02-25", "{2013-02-21,2013-03-01}", "2012-09/.."):
            await create_event(connection, TIMELINE, body(when), CALLER)

    run(database_url, fill)
    before = run(database_url, both)
    assert (rows(database_url, "histogram"), rows(database_url, "histogram_change")) == (0, 4)
    asyncio.run(_folded(database_url, at_least=5))
    assert rows(database_url, "histogram") == 0
    asyncio.run(_folded(database_url, at_least=4))
    assert rows(database_url, "histogram_change") == 0
    assert rows(database_url, "histogram") > 7
    assert run(database_url, both) == before


async def _folded(url: str, *, at_least: int) -> None:
    database = Database(url, pool_size=1, statement_timeout_seconds=30)
    await database.open()
    await fold_all(database, at_least=at_least)
    await database.close()


def test_a_change_that_moves_no_bound_is_not_counted(database_url: str) -> None:
    async def write(connection: Connection) -> None:
        await make_timeline(connection)
        event_id, _ = await create_event(connection, TIMELINE, body("2013-02-25"), CALLER)
        await put_event(connection, TIMELINE, event_id, body("2013-02-25~"), ANY, CALLER)

    run(database_url, write)
    assert rows(database_url, "histogram_change") == 1


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM histogram WHERE unit = 'month'",
        "UPDATE histogram SET certain_to = certain_to + 1 WHERE unit = 'day'",
        "INSERT INTO histogram SELECT timeline_id, 'year', 77, 1, 1, 0, 0 FROM timeline WHERE slug = 'upkeep'",
        "DELETE FROM histogram_change",
        "INSERT INTO histogram_change OVERRIDING USER VALUE SELECT * FROM histogram_change",
        "DELETE FROM event",
    ],
)
def test_whatever_is_wrong_is_seen_and_put_right(
    database_url: str, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    async def fill(connection: Connection) -> None:
        await make_timeline(connection)
        await make_timeline(connection, "another")
        for when in ("2013-02-25", "{2013-02-21,2013-03-01}"):
            await create_event(connection, TIMELINE, body(when), CALLER)

    run(database_url, fill)
    asyncio.run(_folded(database_url, at_least=1))
    run(database_url, lambda connection: create_event(connection, TIMELINE, body("2013-03"), CALLER))
    monkeypatch.setenv("DATELINE_DATABASE_URL", database_url)
    command = CliRunner()
    assert command.invoke(app, ["histogram", "check"]).output == "another: right\nupkeep: right\n"
    with psycopg.connect(database_url) as connection:
        connection.execute(damage)
    checked = command.invoke(app, ["histogram", "check", TIMELINE])
    assert checked.exit_code == 1
    assert " wrong\n" in checked.output
    rebuilt = command.invoke(app, ["histogram", "rebuild", TIMELINE])
    assert (rebuilt.exit_code, " wrong\n" in rebuilt.output) == (0, True)
    assert command.invoke(app, ["histogram", "check"]).exit_code == 0
    assert rows(database_url, "histogram_change") == 0
    for kept, made in run(database_url, both):
        assert kept == made


def test_a_timeline_that_is_not_there_is_named(database_url: str) -> None:
    for work in (check_histograms, rebuild_histograms):
        with pytest.raises(NotFound, match="nowhere"):
            work(database_url, "nowhere")
