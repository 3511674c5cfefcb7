"""How instants and documents pass between Python and PostgreSQL.

Python's `datetime` knows no year before 1, no year after 9999 and no infinity, so that psycopg refuses to
load such a value. An instant is an integer here (microseconds since 1970, see `service.dates`), and travels
in PostgreSQL's own binary form: a signed 64-bit count of microseconds since 2000, whose extremes are ±infinity.
A stored document travels as the bytes that it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.postgres import types
from psycopg.pq import Format
from psycopg.types.array import ListBinaryDumper
from psycopg.types.string import ByteaBinaryLoader

from service.dates import DISTANT_FUTURE, DISTANT_PAST

_POSTGRES_EPOCH = 946_684_800_000_000  # 2000-01-01T00:00:00Z, in microseconds since 1970
_POSTGRES_INFINITIES = {DISTANT_PAST: -(2**63), DISTANT_FUTURE: 2**63 - 1}
_INFINITIES = {count: instant for instant, count in _POSTGRES_INFINITIES.items()}


@dataclass(frozen=True, slots=True)
class At:
    """An instant on its way to the database; no integer itself, or psycopg would send a list as integers."""

    instant: int


class AtDumper(Dumper):
    """Write an instant as PostgreSQL's timestamptz."""

    format = Format.BINARY
    oid = types["timestamptz"].oid

    def dump(self, obj: At) -> Buffer:
        """Count from PostgreSQL's epoch; an infinity is one of its extremes."""
        return _timestamp(obj.instant)


def _timestamp(instant: int) -> bytes:
    count = _POSTGRES_INFINITIES.get(instant, instant - _POSTGRES_EPOCH)
    return count.to_bytes(8, "big", signed=True)


@dataclass(frozen=True, slots=True)
class Spans:
    """Half-open spans of instants on their way to the database, each from when until when; ±infinity is an open end."""

    spans: tuple[tuple[int, int], ...]


class SpansDumper(Dumper):
    """Write spans as PostgreSQL's tstzmultirange, which puts them in order and joins those that touch."""

    format = Format.BINARY
    oid = types["tstzmultirange"].oid
    _START_INCLUDED, _START_OPEN, _END_OPEN = 0x02, 0x08, 0x10

    def dump(self, obj: Spans) -> Buffer:
        """Write how many there are, then each with its length before it."""
        ranges = [self._range(*span) for span in obj.spans]
        return b"".join([_length(len(ranges)), *(_length(len(one)) + one for one in ranges)])

    def _range(self, start: int, end: int) -> bytes:
        is_begun, is_ended = start != DISTANT_PAST, end != DISTANT_FUTURE
        flags = (self._START_INCLUDED if is_begun else self._START_OPEN) | (0 if is_ended else self._END_OPEN)
        bounds = [one for one, there in ((start, is_begun), (end, is_ended)) if there]
        return bytes([flags]) + b"".join(_length(8) + _timestamp(one) for one in bounds)


def _length(count: int) -> bytes:
    return count.to_bytes(4, "big")


class AtLoader(Loader):
    """Read PostgreSQL's timestamptz as an instant, an integer."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        """Count from 1970; an extreme is an infinity."""
        count = int.from_bytes(bytes(data), "big", signed=True)
        return _INFINITIES.get(count, count + _POSTGRES_EPOCH)


class DocumentLoader(Loader):
    """Read a JSON value as its bytes, UTF-8, unparsed."""

    def load(self, data: Buffer) -> bytes:
        """Copy the bytes out of the result."""
        return bytes(data)


def register(context: AdaptContext) -> None:
    """Teach a connection these."""
    adapters: Any = context.adapters
    adapters.register_dumper(At, AtDumper)
    adapters.register_dumper(Spans, SpansDumper)
    # registered last it is chosen first: a list of instants has no other than the binary form
    adapters.register_dumper(list, ListBinaryDumper)
    adapters.register_loader("timestamptz", AtLoader)
    adapters.register_loader("json", DocumentLoader)
    # in a binary result PostgreSQL sends JSON as text all the same: bytes as they are, by psycopg's own C
    adapters.register_loader("json", ByteaBinaryLoader)
