"""Cursors: opaque to clients, signed, bound to their query.

A cursor is where a page ended, followed by a truncated HMAC-SHA-256 (RFC 2104) over it and the query's
digest, in base64url. The server keeps nothing of it, so it never grows old.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.errors import InvalidCursor
from service.store.query import EventQuery, Keyset

_MAC_BYTES = 16


def seal(key: bytes, context: bytes, content: bytes) -> str:
    """Make a cursor of `content` that only opens in the same `context`."""
    # the context at a fixed length, or its end could be taken for the beginning of a content
    mac = hmac.digest(key, hashlib.sha256(context).digest() + content, "sha256")[:_MAC_BYTES]
    return base64.urlsafe_b64encode(content + mac).rstrip(b"=").decode()


def unseal(key: bytes, context: bytes, cursor: str) -> bytes:
    """Give back a cursor's content.

    Raises InvalidCursor if it was damaged, made up, or made in another context.
    """
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor("the cursor is damaged") from error
    content = sealed[:-_MAC_BYTES]
    # compared as text, since base64 may leave bits idle in which two texts would be one cursor
    if not hmac.compare_digest(cursor.encode(), seal(key, context, content).encode()):
        raise InvalidCursor("the cursor is damaged, or was made for another query")
    return content


@dataclass(frozen=True, slots=True)
class Cursors:
    """The cursors of one list: places in its order, each the values of a few columns; they open in no other list."""

    key: bytes
    context: bytes

    @classmethod
    def of(cls, key: bytes, *list_of: str | int | UUID | None) -> Cursors:
        """Name the list by what it lists and all that decides its order."""
        return cls(key, json.dumps([None if one is None else str(one) for one in list_of]).encode())

    def write(self, place: Sequence[float | str | UUID] | None) -> str | None:
        """Make the cursor of where a page ended; None where nothing follows."""
        if place is None:
            return None
        # as JSON: an instant near the end of the axis takes more than 64 bits
        content = json.dumps([one.hex if isinstance(one, UUID) else one for one in place])
        return seal(self.key, self.context, content.encode())

    def read(self, cursor: str | None, *kinds: Callable[[Any], Any]) -> tuple[Any, ...] | None:
        """Give back where the page ended, each value made by its kind; None without a cursor. Raises InvalidCursor."""
        if cursor is None:
            return None
        values = json.loads(unseal(self.key, self.context, cursor))
        return tuple(kind(value) for kind, value in zip(kinds, values, strict=True))


def write_cursor(key: bytes, query: EventQuery, keyset: Keyset | None) -> str | None:
    """Make the cursor of a page's end, for the query that it belongs to; None where nothing follows."""
    place = None if keyset is None else (keyset.value, keyset.event_id, keyset.timeline_id)
    return Cursors(key, query.digest()).write(place)


def read_cursor(key: bytes, query: EventQuery, cursor: str | None) -> Keyset | None:
    """Give back where the page ended; None without a cursor. Raises InvalidCursor."""
    value = float if query.sort == "relevance" else int
    place = Cursors(key, query.digest()).read(cursor, value, UUID, UUID)
    return None if place is None else Keyset(*place)
