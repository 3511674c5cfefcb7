"""How many blocks PostgreSQL touches to answer: a measure that other work on the machine does not blur."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from psycopg import AsyncConnection
from psycopg.errors import Diagnostic

from service.store.adapters import register
from service.store.statement import Connection

_SETTINGS = (
    "LOAD 'auto_explain'",
    "SET auto_explain.log_min_duration = 0",
    "SET auto_explain.log_analyze = on",
    "SET auto_explain.log_timing = off",
    "SET auto_explain.log_buffers = on",
    "SET auto_explain.log_format = json",
    "SET client_min_messages = log",
)


class Watched:
    """A connection that is told the plans of what it runs; `url` is a superuser's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.plans: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        self._connection = await AsyncConnection.connect(
            self._url, autocommit=True, options="-c TimeZone=UTC -c jit=off"
        )
        register(self._connection)
        self._connection.add_notice_handler(self._take)
        for setting in _SETTINGS:
            await self._connection.execute(setting)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def count_blocks(self, ask: Callable[[Connection], Awaitable[object]]) -> int:
        """Count the blocks that the statements of a question touch, of tables and of indexes."""
        await ask(self._connection)  # fills the catalogue's caches, which count too
        self.plans.clear()
        await ask(self._connection)
        return sum(plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0) for plan in self.plans)

    def _take(self, notice: Diagnostic) -> None:
        _, found, plan = (notice.message_primary or "").partition("plan:")
        if found:
            self.plans.append(json.loads(plan)["Plan"])
