"""What others do between two statements of one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from service.store.connection import Rows
from service.store.statement import Connection, Statement


class Followed:
    """A statement after which something happens before the next one, the first time that it is run."""

    def __init__(self, statement: Statement, happens: Callable[[], object]) -> None:
        self._statement = statement
        self._happens: Callable[[], object] | None = happens

    async def run(self, connection: Connection, values: Mapping[str, object]) -> Rows:
        cursor = await self._statement.run(connection, values)
        happens, self._happens = self._happens, None
        if happens is not None:
            await asyncio.to_thread(happens)
        return cursor
