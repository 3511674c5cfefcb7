"""A connection that waits for an answer as cheaply as the event loop allows.

PostgreSQL sends a page in some eight pieces, and psycopg enrols with the event loop, sets a timer and wakes the task
anew for each: measured, a third of what running the statement costs this process. Here the connection is enrolled once
for all pieces, and the task wakes when the answer is complete. A statement is given to libpq as it is: psycopg's cursor
does much for each that ours, built once, do not need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

from psycopg import AsyncConnection, adapt
from psycopg._preparing import Prepare
from psycopg.abc import RV, PQGen, Transformer
from psycopg.adapt import PyFormat
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, QueryCanceled, error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

Row = tuple[Any, ...]

# What a connection is made with where its URL says nothing else: a network that swallows packets is no reason to wait
# for as long as the system would.
_NETWORK = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 30, "keepalives_interval": 5}
_INTERVAL_SECONDS = 0.1  # psycopg's own
_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY)
_ENDING_SECONDS = 5.0  # for PostgreSQL to end a statement that nobody waits for any more


def network_options(url: str) -> dict[str, Any]:
    """Give what a connection to this URL is to be made with beside it, so that a dead network is noticed."""
    chosen = conninfo_to_dict(url)
    return {name: value for name, value in _NETWORK.items() if name not in chosen}


class Rows:
    """What a statement gave, in binary form."""

    __slots__ = ("_given", "_transformer", "result")

    def __init__(self, result: PGresult, transformer: Transformer) -> None:
        self.result = result
        self._transformer = transformer
        self._given = 0  # how many rows have been asked for one by one

    @property
    def rowcount(self) -> int:
        """How many rows there are, or were written."""
        if self.result.status == ExecStatus.TUPLES_OK:
            return self.result.ntuples
        return self.result.command_tuples or 0

    async def fetchone(self) -> Row | None:
        """Give the next row."""
        if self._given >= self.result.ntuples:
            return None
        self._given += 1
        (row,) = self._load(self._given - 1, self._given)
        return row

    async def fetchall(self) -> list[Row]:
        """Give all rows that were not given yet."""
        first, self._given = self._given, self.result.ntuples
        return self._load(first, self._given)

    def _load(self, first: int, end: int) -> list[Row]:
        # other statements of the connection had the transformer meanwhile
        self._transformer.set_pgresult(self.result)
        return self._transformer.load_rows(first, end, tuple)


class Question(NamedTuple):
    """A statement as psycopg knows which it has prepared: its text, and the types of its parameters."""

    query: bytes
    types: tuple[int, ...]


class PooledConnection(AsyncConnection[Row]):
    """psycopg's connection, with ways of its own to run a statement, and to wait for what is to be read.

    In all else it does as psycopg.

    While `is_given_up` says so, a statement that nobody waits for any more takes the connection with it: to end it by
    asking the server, which does not answer, would take long.
    """

    is_given_up: Callable[[], bool] = staticmethod(lambda: False)
    is_distributed: bool = False  # whether it leads to a cluster (`service.store.distribution`)

    @cached_property
    def transformer(self) -> Transformer:
        """What values pass through; made with the first statement, when it is known how instants and documents do."""
        return adapt.Transformer(self)

    async def wait(
        self,
        gen: PQGen[RV],
        interval: float = _INTERVAL_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109  # psycopg's signature
    ) -> RV:
        """Run one of psycopg's operations to its end. Raises what the operation does."""
        # begun on a connection that is lost already, it would be left in its midst, and fail once more when collected
        socket = self.pgconn.socket
        try:
            state = next(gen)
        except StopIteration as end:
            return await super().wait(_ended(end.value))
        if timeout is not None or state != Wait.R:
            return await super().wait(_resumed(gen, state), interval, timeout)
        try:
            return await self._read(gen, socket)
        except _OtherStateError as error:
            return await super().wait(_resumed(gen, error.state), interval)

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109  # psycopg's signature
        """End the statement under way, or the connection. Raises psycopg.Error where neither ends in time."""
        if self.is_given_up():
            self.pgconn.finish()
        else:
            await super().cancel_safe(timeout=timeout)

    async def _read(self, gen: PQGen[RV], socket: int) -> RV:
        """Feed the operation each piece as it comes. Raises _OtherStateError where it waits for something else."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[RV] = loop.create_future()
        is_enrolled = True

        def leave() -> None:
            nonlocal is_enrolled
            if is_enrolled:
                loop.remove_reader(socket)
                is_enrolled = False

        def feed() -> None:
            if not over.done():
                _feed(gen, over)
            if over.done():
                # now, not once the task wakes: libpq closes what it lost, and another socket may have the number then
                leave()

        loop.add_reader(socket, feed)
        try:
            return await over
        except (asyncio.CancelledError, KeyboardInterrupt):
            leave()
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._abandon(gen)
            raise
        finally:
            leave()

    async def _abandon(self, gen: PQGen[RV]) -> None:
        """End the statement, and take what it still had to say; failing that, the connection, as psycopg does."""
        try:
            await self.cancel_safe(timeout=_ENDING_SECONDS)
            with suppress(QueryCanceled):
                await super().wait(_resumed(gen, Wait.R), timeout=_ENDING_SECONDS)
        except BaseException as error:
            self.pgconn.finish()
            if not isinstance(error, Exception):
                raise


async def run_statement(
    connection: AsyncConnection[Row], sql: bytes, values: Sequence[object], *, prepare: bool
) -> Rows:
    """Run a statement in PostgreSQL's own form, prepared if it is run again and again. Raises psycopg.Error.

    The connection is in autocommit, or in a transaction: none is begun for it. What is prepared is psycopg's to know,
    which drops all that it knows of when a transaction is rolled back.
    """
    pgconn = connection.pgconn
    prepared = connection._prepared  # noqa: SLF001  # nothing public tells, and two who know would not agree
    async with connection.lock:
        transformer = (
            connection.transformer if isinstance(connection, PooledConnection) else adapt.Transformer(connection)
        )
        given = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
        formats = transformer.formats
        question: Any = Question(sql, transformer.types or ())
        way, name = prepared.get(question, None if prepare else False)
        if way is Prepare.YES:
            pgconn.send_query_prepared(name, given, formats, Format.BINARY)
            result = await _result(connection)
            if not _is_stale(result, connection):
                prepared.maybe_add_to_cache(question, way, name)
                _check(connection, result)
                return Rows(result, transformer)
            # it is known no more, and as good as new; in a transaction, all is lost until that ends
            del prepared._names[question]  # noqa: SLF001  # as above
            if pgconn.transaction_status != TransactionStatus.IDLE:
                _check(connection, result)
            way = Prepare.NO
        if way is Prepare.NO:
            pgconn.send_query_params(sql, given, question.types, formats, Format.BINARY)
        else:
            pgconn.send_prepare(name, sql, question.types)
            _check(connection, await _result(connection))
            pgconn.send_query_prepared(name, given, formats, Format.BINARY)
        key = prepared.maybe_add_to_cache(question, way, name)
        result = await _result(connection)
        if key is not None:
            prepared.validate(key, way, name, [result])
        _check(connection, result)
        if key is not None:
            await connection.wait(prepared.maintain_gen(connection))
        return Rows(result, transformer)


async def _result(connection: AsyncConnection[Row]) -> PGresult:
    result: PGresult = (await connection.wait(execute(connection.pgconn)))[-1]
    return result


def _is_stale(result: PGresult, connection: AsyncConnection[Row]) -> bool:
    """Tell whether what was prepared holds no more: it was forgotten, or a table has other columns now."""
    if result.status in _DONE:
        return False
    error = error_from_result(result, connection.info.encoding)
    return isinstance(error, InvalidSqlStatementName | FeatureNotSupported)


def _check(connection: AsyncConnection[Row], result: PGresult) -> None:
    """Raise psycopg.Error for what the server reports."""
    if result.status not in _DONE:
        raise error_from_result(result, connection.info.encoding)


class _OtherStateError(Exception):
    """Say what an operation waits for that is not only something to read."""

    def __init__(self, state: Wait) -> None:
        super().__init__(state.name)
        self.state = state


def _feed(gen: PQGen[RV], over: asyncio.Future[RV]) -> None:
    """Let an operation read what came, and tell whoever waits where it is over or waits for something else."""
    try:
        state = gen.send(Ready.R)
        if state != Wait.R:
            over.set_exception(_OtherStateError(state))
    except StopIteration as end:
        over.set_result(end.value)
    except Exception as error:  # noqa: BLE001  # whatever it is, whoever waits is told
        over.set_exception(error)


def _resumed(gen: PQGen[RV], state: Wait) -> PQGen[RV]:
    """Go on with an operation that waits for something already."""
    try:
        while True:
            # whoever begins to wait sends nothing at first, which an operation under way does not always take
            state = gen.send((yield state) or Ready.NONE)
    except StopIteration as end:
        value: RV = end.value
        return value


def _ended(value: RV) -> PQGen[RV]:
    """Make an operation that is over: waiting for it, psycopg lets others have their turn now and then."""
    return value
    yield
