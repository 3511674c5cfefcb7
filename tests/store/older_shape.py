"""A made-up older shape: once, documents had `tags` where they have `topics` now.

`python -m tests.store.older_shape URL BATCHES` renders a database's documents again, and kills itself within the
last of so many batches.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any
from uuid import UUID

import psycopg

from service import rerendering
from service.store import documents
from service.store.documents import Place
from service.store.statement import Connection
from service.wire import shape

_MAKE_OLDER = """
UPDATE {} SET shape = 1, document = replace(document::text, '"topics":', '"tags":')::json WHERE document IS NOT NULL
"""


def _to_topics(document: dict[str, Any]) -> dict[str, Any]:
    return {"topics" if name == "tags" else name: value for name, value in document.items()}


UPGRADES = (_to_topics,)


def make_older(url: str) -> int:
    """Give all documents the older shape; tell how many there are."""
    with psycopg.connect(url) as connection:
        return sum(connection.execute(_MAKE_OLDER.format(one).encode()).rowcount for one in documents.TABLE_NAMES)


def main() -> None:
    """Render again, and die."""
    url, batches = sys.argv[1], int(sys.argv[2])
    done, batch = 0, documents.rerender_batch

    async def rerender_batch(
        connection: Connection, table_name: str, timeline_id: UUID, after: Place
    ) -> tuple[int, Place | None]:
        nonlocal done
        found = await batch(connection, table_name, timeline_id, after)
        done += 1
        if done == batches:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    shape.UPGRADES = UPGRADES
    documents.BATCH_DOCUMENTS = 3
    documents.rerender_batch = rerender_batch
    rerendering.rerender(url)


if __name__ == "__main__":
    main()
