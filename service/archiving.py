"""Whole timelines written into an archive, as they stood at one instant, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, BinaryIO

from service.formats.archive import HEADER, event_of, events_of, write_entry, write_totals
from service.store.archive import get_timeline, stream_directory, stream_states
from service.store.database import connected
from service.store.histogram_upkeep import list_timelines
from service.store.query import EventQuery, owner
from service.store.statement import Connection
from service.store.stream import stream_documents
from service.store.timelines import check_timeline
from service.wire.archive import Totals

# What is seen at the beginning is read to the end; a batch alone may take so long, the first one for sorting.
_STATEMENT_TIMEOUT_SECONDS = 3600.0
_ALL = owner("operator")

Progress = Callable[[int], object]


def write_archive(url: str, slugs: Sequence[str], file: BinaryIO, told: Progress) -> Totals:
    """Write these timelines, or all where none is named, with all that was ever recorded of their events.

    Writers go on meanwhile. `told` of how many more states are written. Raises NotFound without one of the timelines,
    Unavailable.
    """
    return asyncio.run(_reading(url, slugs, lambda connection, found: _write_archive(connection, found, file, told)))


def write_documents(url: str, slugs: Sequence[str], file: BinaryIO, told: Progress) -> Totals:
    """Write the events of these timelines, or of all, as they are now: a line each, as `GET …/events` gives them."""
    return asyncio.run(_reading(url, slugs, lambda connection, found: _write_documents(connection, found, file, told)))


async def _reading(
    url: str, slugs: Sequence[str], write: Callable[[Connection, list[str]], Coroutine[Any, Any, Totals]]
) -> Totals:
    async with (
        connected(url, statement_timeout_seconds=_STATEMENT_TIMEOUT_SECONDS) as database,
        database.export() as connection,
    ):
        found = sorted(set(slugs)) if slugs else await list_timelines(connection)
        for slug in found:
            await check_timeline(connection, slug, _ALL)
        return await write(connection, found)


async def _write_archive(connection: Connection, slugs: Sequence[str], file: BinaryIO, told: Progress) -> Totals:
    file.write(HEADER)
    events = states = 0
    for slug in slugs:
        file.write(write_entry(await get_timeline(connection, slug, _ALL)))
        async with aclosing(stream_directory(connection, slug)) as entries:
            async for entry in entries:
                file.write(write_entry(entry))
        last = b""
        async with aclosing(stream_states(connection, slug)) as batches:
            async for lines in batches:
                found = events_of(lines)
                events += len(found - {last})
                last = event_of(lines[-1])
                states += len(lines)
                file.write(b"\n".join(lines) + b"\n")
                told(len(lines))
    totals = Totals(timelines=len(slugs), events=events, states=states)
    file.write(write_totals(totals))
    return totals


async def _write_documents(connection: Connection, slugs: Sequence[str], file: BinaryIO, told: Progress) -> Totals:
    events = 0
    for slug in slugs:
        async with aclosing(stream_documents(connection, EventQuery(slug), _ALL)) as batches:
            async for documents in batches:
                file.write(b"\n".join(documents) + b"\n")
                events += len(documents)
                told(len(documents))
    return Totals(timelines=len(slugs), events=events, states=events)
