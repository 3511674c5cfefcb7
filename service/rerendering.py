"""Count the documents of an older shape, or bring them to the present one."""

from __future__ import annotations

import asyncio

from service.store import documents
from service.store.database import Database, connected
from service.store.histogram_upkeep import list_timelines
from service.store.query import timeline_id_of

_STATEMENT_TIMEOUT_SECONDS = 3600.0  # to find a few of an older shape among many millions
_MOST_DOCUMENTS = 2**31 - 1


def count(url: str) -> int:
    """Count all documents of an older shape. Raises Unavailable."""
    return asyncio.run(_count(url))


def rerender(url: str) -> int:
    """Bring all documents to the present shape, and give the number of those that were of an older one.

    Writers and readers need not stop meanwhile. Each batch is a transaction of its own: whoever ends this and begins
    again goes on with what is left. Raises Unavailable.
    """
    return asyncio.run(_rerender(url))


async def _count(url: str) -> int:
    async with (
        connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database,
        database.read() as connection,
    ):
        return await documents.count_older(connection, _MOST_DOCUMENTS)


async def _rerender(url: str) -> int:
    done = 0
    async with connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database:
        async with database.read() as connection:
            slugs = await list_timelines(connection)
        for slug in slugs:
            for name in documents.TABLE_NAMES:
                # again for what others held; what they hold still is left, rather than waited for
                while count := await _rerender_timeline(database, name, slug):
                    done += count
    return done


async def _rerender_timeline(database: Database, table_name: str, slug: str) -> int:
    """Go through a timeline's documents of one table; give how many were of an older shape."""
    done, place = 0, documents.START
    while True:
        async with database.transaction() as connection:
            count, end = await documents.rerender_batch(connection, table_name, timeline_id_of(slug), place)
        if end is None:
            return done
        done, place = done + count, end
