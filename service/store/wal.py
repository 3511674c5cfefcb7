"""How far a database has come in its write-ahead log (WAL), and the positions there that clients keep.

A position carries the token of the life of the database in which it was told (`service.store.epoch`): in another life
the log is another, and the same place in it says nothing.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, literal_column, select

from service.store.cursor import seal, unseal
from service.store.statement import Connection, Statement, compiled
from service.tables import feed


class WalPosition(NamedTuple):
    """A place in the log: `lsn` is PostgreSQL's log sequence number, in bytes."""

    token: UUID
    lsn: int

    def covers(self, other: WalPosition) -> bool:
        """Tell whether whoever has come so far has come as far as the other."""
        return self.token == other.token and self.lsn >= other.lsn


_START: ColumnElement[Any] = literal_column("'0/0'")
_REPLAYED_LSN = func.pg_last_wal_replay_lsn()


def _position(lsn: ColumnElement[Any]) -> Statement:
    return compiled(select(feed.c.token, cast(func.pg_wal_lsn_diff(func.coalesce(lsn, _START), _START), BigInteger)))


# What is in recovery writes nothing, and is asked all the same where it stands in for a primary.
_WRITTEN = _position(case((func.pg_is_in_recovery(), _REPLAYED_LSN), else_=func.pg_current_wal_insert_lsn()))
_FLUSHED = _position(case((func.pg_is_in_recovery(), _REPLAYED_LSN), else_=func.pg_current_wal_flush_lsn()))
_REPLAYED = _position(_REPLAYED_LSN)
_FORM = struct.Struct(">16sq")
_CONTEXT = b"wal"


async def read_written(connection: Connection) -> WalPosition:
    """Tell how far a primary has written: all that was committed before this question lies before it.

    That is the log's end, on disk or not: a commit that does not wait for the disk lies behind what was flushed.
    """
    return await _read(connection, _WRITTEN)


async def read_flushed(connection: Connection) -> WalPosition:
    """Tell how far a primary has written to disk: so far a replica comes by itself, since no more is sent."""
    return await _read(connection, _FLUSHED)


async def read_replayed(connection: Connection) -> WalPosition:
    """Tell how far a replica has replayed: whatever is asked of it after this question sees all that lies before."""
    return await _read(connection, _REPLAYED)


async def _read(connection: Connection, statement: Statement) -> WalPosition:
    row = await (await statement.run(connection, {})).fetchone()
    assert row is not None  # noqa: S101  # the feed has one row
    return WalPosition(*row)


def write_position(key: bytes, position: WalPosition) -> str:
    """Make of a position what a client keeps: opaque, and signed, so that nobody makes one up and is waited for."""
    return seal(key, _CONTEXT, _FORM.pack(position.token.bytes, position.lsn))


def read_position(key: bytes, text: str) -> WalPosition:
    """Give back the position that a client kept. Raises InvalidCursor if it was damaged, or is no position of ours."""
    token, lsn = _FORM.unpack(unseal(key, _CONTEXT, text))
    return WalPosition(UUID(bytes=token), lsn)
