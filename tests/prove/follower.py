"""A follower that may be killed at any moment: it keeps each change with the cursor behind it, together or not at all.

`python -m tests.prove.follower {pages|stream} FEED FILE` follows a feed into an SQLite file, until it is killed.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import urllib.request
from typing import Any

_POLL_SECONDS = 0.05
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY, cursor TEXT, event TEXT, state INTEGER,
        operation TEXT, document TEXT);
    CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY, cursor TEXT);
"""


def main() -> None:
    """Follow until killed; a broken connection is made anew."""
    mode, feed, file = sys.argv[1:]
    kept = sqlite3.connect(file, timeout=30)
    kept.execute("PRAGMA synchronous = OFF")  # the process is killed, the machine is not
    kept.executescript(_SCHEMA)
    follow = {"pages": follow_pages, "stream": follow_stream}[mode]
    while True:
        try:
            follow(feed, kept)
        except (OSError, ValueError) as error:
            if getattr(error, "code", 0) in (400, 404, 410):
                raise
            time.sleep(_POLL_SECONDS)


def follow_pages(feed: str, kept: sqlite3.Connection) -> None:
    """Read page after page."""
    while True:
        cursor = _cursor(kept)
        page_url = f"{feed}?limit=20{cursor and '&after=' + cursor}"
        with urllib.request.urlopen(page_url, timeout=30) as answer:  # noqa: S310
            page = json.load(answer)
        keep(kept, page["items"], page["next"] or page["latest"])
        if page["next"] is None:
            time.sleep(_POLL_SECONDS)


def follow_stream(feed: str, kept: sqlite3.Connection) -> None:
    """Read server-sent events, each as it comes; a message without data only moves the place."""
    cursor = _cursor(kept)
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": cursor} if cursor else {})
    asked = urllib.request.Request(feed, headers=headers)  # noqa: S310  # a test's own address
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
        message: dict[str, str] = {}
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                message[name] = value
                continue
            if "data" in message or "id" in message:
                keep(kept, [json.loads(message["data"])] if "data" in message else [], message["id"])
            message = {}


def keep(kept: sqlite3.Connection, items: list[dict[str, Any]], cursor: str) -> None:
    """Keep changes and the place behind them, in one transaction."""
    with kept:
        for item in items:
            row = (item["cursor"], item["event"], item.get("state", item["version"]), item["operation"])
            kept.execute(
                "INSERT INTO seen (cursor, event, state, operation, document) VALUES (?, ?, ?, ?, ?)",
                [*row, json.dumps(item["document"])],
            )
        kept.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", [cursor])


def _cursor(kept: sqlite3.Connection) -> str:
    row = kept.execute("SELECT cursor FROM place").fetchone()
    return "" if row is None else str(row[0])


if __name__ == "__main__":
    main()
