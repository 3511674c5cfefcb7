"""Cursors: opaque to clients, signed, bound to their query.

A cursor is where a page ended, followed by a truncated HMAC-SHA-256 (RFC 2104) over it and the query's
digest, in base64url. The server keeps nothing of it, so it never grows old.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from uuid import UUID

from service.errors import InvalidCursor
from service.store.query import EventQuery, Keyset

_INSTANT_FORM = struct.Struct(">qI16s16s")  # seconds and microseconds: together they take more than 64 bits
_RANK_FORM = struct.Struct(">d16s16s")
_MAC_BYTES = 16
_SECOND = 1_000_000


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


def write_cursor(key: bytes, query: EventQuery, keyset: Keyset) -> str:
    """Make the cursor of a page's end, for the query that it belongs to."""
    identity = keyset.event_id.bytes, keyset.timeline_id.bytes
    if query.sort == "relevance":
        content = _RANK_FORM.pack(keyset.value, *identity)
    else:
        content = _INSTANT_FORM.pack(*divmod(int(keyset.value), _SECOND), *identity)
    return seal(key, query.digest(), content)


def read_cursor(key: bytes, query: EventQuery, cursor: str) -> Keyset:
    """Give back where the page ended. Raises InvalidCursor."""
    content = unseal(key, query.digest(), cursor)
    value: int | float
    if query.sort == "relevance":
        value, event_id, timeline_id = _RANK_FORM.unpack(content)
    else:
        seconds, microseconds, event_id, timeline_id = _INSTANT_FORM.unpack(content)
        value = seconds * _SECOND + microseconds
    return Keyset(value, UUID(bytes=event_id), UUID(bytes=timeline_id))
