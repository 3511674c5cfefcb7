"""Where rate limits are counted: in this process, or in a Redis that several instances share.

The library's own counters in memory look through all of them at each hit, so that whoever comes from many addresses
slows down everyone. These do not, and there are never more than so many of them.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from limits.aio.storage import RedisStorage, Storage

MOST_COUNTERS = 100_000
_REDIS_SECONDS = 0.25  # how long a request waits for it at most


class BoundedMemory(Storage):
    """Counters in this process; where there are too many, those that were begun first are forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self._counters: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Name what it raises when it fails: it does not."""
        return OSError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; `expiry` is in how many seconds a new counter ends."""
        now = time.time()
        count, ends = self._counters.get(key, (0, 0.0))
        if ends <= now:
            self._counters.pop(key, None)
            count, ends = 0, now + expiry
        self._counters[key] = (count + amount, ends)
        if len(self._counters) > MOST_COUNTERS:
            self._counters.popitem(last=False)
        return count + amount

    async def get(self, key: str) -> int:
        """Read a counter."""
        count, ends = self._counters.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    async def get_expiry(self, key: str) -> float:
        """Tell when a counter ends, in seconds since 1970."""
        now = time.time()
        return max(now, self._counters.get(key, (0, now))[1])

    async def check(self) -> bool:
        """Tell that it works."""
        return True

    async def reset(self) -> int:
        """Forget all counters; tell how many there were."""
        count = len(self._counters)
        self._counters.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forget a counter."""
        self._counters.pop(key, None)


class SharedCounters(RedisStorage):
    """Counters in the Redis at this URL; a failure, and an answer that takes long, is a StorageError."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import ConnectionPool  # noqa: PLC0415  # a tenth of a second, which most services never need

        self._connections = ConnectionPool.from_url(
            url, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS
        )
        super().__init__(
            f"async+{url}",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix="dateline",
            connection_pool=self._connections,  # type: ignore[arg-type]  # taken, though not declared
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.aclose()
