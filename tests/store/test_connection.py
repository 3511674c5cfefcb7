"""However a statement ends, whoever waits for it is told, and the connection serves the next one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.abc import PQGen
from psycopg.waiting import Wait
from sqlalchemy import column, func, literal, select, table

from service.errors import TooSlow, Unavailable
from service.store.connection import PooledConnection
from service.store.counting import Counted, count_events
from service.store.database import Database
from service.store.query import EventQuery, owner
from service.store.statement import Connection, Statement, compiled

NOTHING = Counted(0, is_exact=True)
PIECES = "SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n"


@asynccontextmanager
async def opened(url: str, statement_timeout_seconds: float = 30) -> AsyncIterator[Database]:
    """Open a pool of one connection."""
    database = Database(url, pool_size=1, statement_timeout_seconds=statement_timeout_seconds)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def run(database: Database, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run a statement on the connection of a pool, and give its rows."""
    async with database.read() as connection:
        assert isinstance(connection, PooledConnection)
        return await (await connection.execute(statement.encode(), values)).fetchall()


def under_way(url: str) -> int:
    """Count the statements that sleep."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
            " AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        ).fetchone()
    return row[0] if row else 0


def end_sleepers(url: str) -> None:
    """Cut the connections whose statements sleep."""
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        )


def is_open(number: int) -> bool:
    """Tell whether a descriptor of this number is open."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


async def until(true: Callable[[], bool], pause_seconds: float = 0.02) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(pause_seconds)


def asked(act: Callable[[], Awaitable[None]]) -> None:
    """Run it, and let nothing wait for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await act()

    asyncio.run(bounded())


def test_an_answer_of_many_pieces_comes_whole(database_url: str) -> None:
    async def act() -> None:
        async with opened(database_url) as database:
            for _ in range(3):
                rows = await run(database, PIECES)
                assert [row[0] for row in rows] == list(range(1, 5001))
                assert {len(str(row[1])) for row in rows} == {1000}

    asked(act)


def test_a_question_longer_than_a_socket_takes_at_once_is_asked_whole(database_url: str) -> None:
    async def act() -> None:
        async with opened(database_url) as database:
            text = "é" * 10_000_000
            assert await run(database, "SELECT length(%s::text), %s::text", text, text) == [(len(text), text)]

    asked(act)


def test_a_statement_that_nobody_waits_for_any_more_ends_and_the_connection_serves_on(database_url: str) -> None:
    async def act() -> None:
        async with opened(database_url) as database:
            (before,) = await run(database, "SELECT pg_backend_pid()")
            waiting = asyncio.create_task(run(database, "SELECT pg_sleep(30)"))
            await until(lambda: under_way(database_url) == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert under_way(database_url) == 0
            assert await run(database, "SELECT pg_backend_pid()") == [before]

    asked(act)


def test_one_that_is_over_when_it_is_given_up_ends_no_other(database_url: str) -> None:
    """What is cancelled is the statement under way, never the next one that the connection serves."""

    async def act() -> None:
        async with opened(database_url) as database:
            for turns in range(12):
                waiting = asyncio.create_task(run(database, PIECES))
                for _ in range(turns):
                    await asyncio.sleep(0.001)
                waiting.cancel()
                await asyncio.wait([waiting])
                assert await run(database, "SELECT count(*) FROM generate_series(1, 100000)") == [(100_000,)]

    asked(act)


def test_a_statement_that_was_prepared_is_known_whatever_else_the_connection_forgets(database_url: str) -> None:
    """With a transaction that is rolled back, psycopg drops all that was prepared."""
    statement = compiled(select(literal(7)))

    async def act() -> None:
        async with opened(database_url) as database:
            for _ in range(3):
                for _ in range(7):
                    async with database.read() as connection:
                        assert await (await statement.run(connection, {})).fetchall() == [(7,)]
                async with database.transaction(trial=True) as connection:
                    assert await (await connection.execute("SELECT 1", prepare=True)).fetchone() == (1,)
                    assert await (await statement.run(connection, {})).fetchone() == (7,)

    asked(act)


def test_rows_are_given_one_by_one_while_others_are_asked_for(database_url: str) -> None:
    numbers = compiled(select(func.generate_series(1, 3)))
    text = compiled(select(literal("other")))

    async def act() -> None:
        async with opened(database_url) as database, database.read() as connection:
            rows = await numbers.run(connection, {})
            assert rows.rowcount == 3
            assert await rows.fetchone() == (1,)
            assert await (await text.run(connection, {})).fetchall() == [("other",)]
            assert await rows.fetchall() == [(2,), (3,)]
            assert await rows.fetchone() is None

    asked(act)


def test_a_time_limit_is_told_and_the_connection_serves_on(database_url: str) -> None:
    async def act() -> None:
        async with opened(database_url, statement_timeout_seconds=0.2) as database:
            (before,) = await run(database, "SELECT pg_backend_pid()")
            with pytest.raises(TooSlow):
                await run(database, "SELECT pg_sleep(30)")
            assert await run(database, "SELECT pg_backend_pid()") == [before]

    asked(act)


def test_a_connection_that_is_cut_is_told_and_another_takes_its_place(database_url: str) -> None:
    async def act() -> None:
        async with opened(database_url) as database:
            waiting = asyncio.create_task(run(database, "SELECT pg_sleep(30)"))
            await until(lambda: under_way(database_url) == 1)
            end_sleepers(database_url)
            with pytest.raises(Unavailable):
                await waiting
            assert await run(database, "SELECT 1") == [(1,)]

    asked(act)


def test_the_number_of_a_lost_connection_is_free_for_another(database_url: str) -> None:
    """Whoever opens a socket before the task wakes is told of what comes."""

    async def act(ours: socket.socket, theirs: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()
        connection = await PooledConnection.connect(database_url, autocommit=True)
        number = connection.pgconn.socket
        waiting = asyncio.create_task(connection.execute("SELECT pg_sleep(30)"))
        await until(lambda: under_way(database_url) == 1)
        end_sleepers(database_url)
        # step by step with the event loop: the first to run once the connection is lost
        await until(lambda: not is_open(number), pause_seconds=0)
        assert not waiting.done()
        os.dup2(ours.fileno(), number)
        try:
            loop.add_reader(number, heard.set)
            with pytest.raises(psycopg.OperationalError):
                await waiting
            theirs.send(b"x")
            async with asyncio.timeout(5):
                await heard.wait()
            assert loop.remove_reader(number)
        finally:
            os.close(number)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        asked(lambda: act(ours, theirs))


def test_nothing_is_begun_on_a_connection_that_is_lost_already(database_url: str) -> None:
    begun = False

    def operation() -> PQGen[None]:
        nonlocal begun
        begun = True
        yield Wait.R

    async def act() -> None:
        async with opened(database_url) as database, database.read() as connection:
            connection.pgconn.finish()
            with pytest.raises(psycopg.OperationalError, match=r"lost|closed"):
                await connection.wait(operation())

    asked(act)
    assert not begun


def test_whoever_is_cancelled_while_giving_a_connection_back_takes_none_along(database_url: str) -> None:
    async def act() -> None:
        async with opened(database_url) as database:
            pool = database._pool  # whose lock is what giving back may wait for
            for lend in (database.read, database.transaction):
                begun, over = asyncio.Event(), asyncio.Event()

                async def borrow() -> None:
                    async with lend():  # noqa: B023  # it is over before the next one
                        begun.set()  # noqa: B023
                        await over.wait()  # noqa: B023

                borrowing = asyncio.create_task(borrow())
                await begun.wait()
                async with pool._lock:
                    over.set()
                    await until(lambda: bool(pool._lock._waiters))
                    borrowing.cancel()
                    await asyncio.wait([borrowing])
                assert await run(database, "SELECT 1") == [(1,)]

    asked(act)


def of_thing() -> Statement:
    return compiled(select(column("a")).select_from(table("thing")))


async def make_prepared(database: Database, statement: Statement) -> None:
    """Make the table, and have the statement prepared."""
    async with database.read() as connection:
        await connection.execute("CREATE TABLE thing AS SELECT 1 AS a")
        for _ in range(7):
            await statement.run(connection, {})
        assert count_prepared(connection)


def count_prepared(connection: Connection) -> int:
    """Count what is prepared on a connection."""
    return connection.pgconn.exec_(b"SELECT 1 FROM pg_prepared_statements").ntuples


@pytest.mark.parametrize("change", ["ALTER TABLE thing ALTER a TYPE text", "DEALLOCATE ALL"])
def test_what_was_prepared_and_holds_no_more_is_prepared_anew(database_url: str, change: str) -> None:
    """A column may come to another type, and what stands between may forget; nobody is told."""
    statement = of_thing()

    async def act() -> None:
        async with opened(database_url) as database:
            await make_prepared(database, statement)
            async with database.read() as connection:
                connection.pgconn.exec_(change.encode())  # psycopg does not see it
            for _ in range(7):
                async with database.read() as connection:
                    ((found,),) = await (await statement.run(connection, {})).fetchall()
                assert str(found) == "1"
            async with database.read() as connection:
                assert count_prepared(connection)

    asked(act)


def test_in_a_transaction_it_fails_once(database_url: str) -> None:
    statement = of_thing()

    async def act() -> None:
        async with opened(database_url) as database:
            await make_prepared(database, statement)
            async with database.read() as connection:
                connection.pgconn.exec_(b"DEALLOCATE ALL")
            with pytest.raises(Unavailable):
                async with database.transaction() as connection:
                    await statement.run(connection, {})
            async with database.transaction() as connection:
                assert (await statement.run(connection, {})).rowcount == 1

    asked(act)


def test_to_count_exactly_leaves_what_is_prepared_and_the_time_limit_as_they_were(database_url: str) -> None:
    async def act() -> None:
        async with opened(database_url) as database:
            await make_prepared(database, of_thing())
            for lend in (database.read, database.transaction):
                async with lend() as connection:
                    before = await (await connection.execute("SHOW statement_timeout")).fetchall()
                    assert await count_events(connection, EventQuery(None), owner("a test"), "exact") == NOTHING
                    assert await (await connection.execute("SHOW statement_timeout")).fetchall() == before
                    assert count_prepared(connection) or lend == database.transaction

    asked(act)
