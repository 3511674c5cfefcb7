"""Check the summaries that histograms are read from, or rebuild them, from the events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from service.errors import NotFound
from service.store.database import connected
from service.store.histogram_upkeep import count_faults, fold_all, list_timelines, mend
from service.store.statement import Connection

# Every event of a timeline is read: at ten millions some minutes.
_STATEMENT_TIMEOUT_SECONDS = 3600.0


def check_histograms(url: str, timeline: str | None = None) -> dict[str, int]:
    """Count the wrong buckets of a timeline's summary, or of all, by the timeline's slug.

    Raises NotFound, Unavailable.
    """
    return asyncio.run(_each(url, timeline, count_faults))


def rebuild_histograms(url: str, timeline: str | None = None) -> dict[str, int]:
    """Put a timeline's summary right, or all; count the buckets that were wrong, by the timeline's slug.

    Writers and readers need not stop meanwhile. Raises NotFound, Unavailable.
    """
    return asyncio.run(_each(url, timeline, mend))


async def _each(url: str, timeline: str | None, work: Callable[[Connection, str], Awaitable[int]]) -> dict[str, int]:
    async with connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database:
        async with database.read() as connection:
            slugs = [slug for slug in await list_timelines(connection) if timeline in (None, slug)]
        if timeline is not None and not slugs:
            raise NotFound(f"no timeline {timeline!r}")
        found = {}
        for slug in slugs:
            async with database.transaction() as connection:
                found[slug] = await work(connection, slug)
        if work is mend:
            await fold_all(database)
        return found
