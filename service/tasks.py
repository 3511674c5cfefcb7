"""End tasks that would go on for ever."""

from __future__ import annotations

import asyncio
from typing import Any

_AGAIN_SECONDS = 0.2


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and wait until they have ended, whatever they ended with.

    They are asked until they do. Up to Python 3.11 a task that is cancelled just as what it waits for comes goes on as
    if nothing had been (`asyncio.wait_for`, python/cpython#86296), and waiting for a free connection of psycopg's pool
    is done so.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)  # what one ended with was for it to tell
