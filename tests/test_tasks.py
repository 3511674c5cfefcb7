"""Ending tasks, one of which does not hear it the first time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from service.tasks import end_tasks


async def sleeps() -> None:
    await asyncio.sleep(3600)


async def fails() -> None:
    raise RuntimeError


async def loses_the_first() -> None:
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    await asyncio.sleep(3600)


async def takes_a_while() -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0)


def test_tasks_end_even_when_a_cancellation_is_lost() -> None:
    async def run() -> None:
        tasks = [asyncio.create_task(one()) for one in (sleeps, fails, loses_the_first, takes_a_while)]
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await end_tasks(*tasks)
        assert all(task.done() for task in tasks)

    asyncio.run(run())


def test_no_tasks_end_at_once() -> None:
    asyncio.run(end_tasks())
