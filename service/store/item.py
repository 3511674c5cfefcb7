"""A change as it is read, page by page, in a stream, or as a message: one shape for all."""

from __future__ import annotations

import json

from service.dates import format_instant
from service.store.changes import Change


def write_item(change: Change, cursor: str, *, documents: bool) -> bytes:
    """Write a change as clients read it (UTF-8 JSON); its document's bytes as they are stored."""
    head: dict[str, object] = {
        "cursor": cursor,
        "operation": change.operation,
        "event": str(change.event_id),
        "version": change.version,
    }
    if change.state != change.version:
        head["state"] = change.state
    head["recorded_at"] = format_instant(change.recorded_at)
    written = json.dumps(head, separators=(",", ":")).encode()
    return b'%b,"document":%b}' % (written[:-1], change.document or b"null") if documents else written
