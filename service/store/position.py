"""Places in the change feed, and the cursors that clients keep of them.

A cursor carries the token of the life of the database in which it was made (`service.store.epoch`): in another
life the transactions are counted anew, and the same place is another.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from uuid import UUID

from service.errors import InvalidCursor
from service.store.cursor import seal, unseal


class Position(NamedTuple):
    """A place in the order of changes: just behind the change that has this epoch, transaction and sequence."""

    epoch: int
    transaction_id: int
    sequence: int


# Before every change: epochs and transactions are counted from 1.
START = Position(0, 0, 0)


class Place(NamedTuple):
    """A position as it was seen in one life of the database."""

    token: UUID
    position: Position


_FORM = struct.Struct(">16siqq")


def write_place(key: bytes, timeline: str, place: Place) -> str:
    """Make the cursor of a place in a timeline's feed."""
    return seal(key, _context(timeline), _FORM.pack(place.token.bytes, *place.position))


def read_place(key: bytes, timeline: str, cursor: str) -> Place:
    """Give back the place that a cursor means. Raises InvalidCursor if it was damaged, or is another timeline's."""
    try:
        token, *position = _FORM.unpack(unseal(key, _context(timeline), cursor))
    except InvalidCursor as error:
        raise InvalidCursor("the cursor is damaged, or is of another timeline's feed", parameter="after") from error
    return Place(UUID(bytes=token), Position(*position))


def _context(timeline: str) -> bytes:
    return b"changes:" + timeline.encode()
