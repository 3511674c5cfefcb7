"""One read for all who ask the same at the same time, and few reads at once.

When a change wakes a thousand followers of a timeline, they all ask for what follows the same place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

ResultT = TypeVar("ResultT")


class SharedReads(Generic[ResultT]):
    """Reads under way, by what they ask for; at most `most_at_once`, so that other requests find connections too."""

    def __init__(self, most_at_once: int) -> None:
        self._room = asyncio.Semaphore(most_at_once)
        self._running: dict[Hashable, asyncio.Task[ResultT]] = {}

    async def read(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Give the result of the read under way for this key, or of a new one. Raises what it raises."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._in_turn(make))
            self._running[key] = task
            task.add_done_callback(lambda done: self._finish(key, done))
        # whoever leaves does not take the others' read along
        return await asyncio.shield(task)

    async def _in_turn(self, make: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        async with self._room:
            return await make()

    def _finish(self, key: Hashable, task: asyncio.Task[ResultT]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # looked at, even if everybody has left
