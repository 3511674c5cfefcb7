"""Bodies too long to be held: each kept in a file until it has come, so that no transaction waits for its sender."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from service.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Spooled:
    """A body that has come: in a file that is gone when it is closed, and its SHA-256."""

    file: BinaryIO
    digest: bytes


class Spools:
    """The bodies that a process keeps at a time, of so many bytes in all."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    @asynccontextmanager
    async def keep(self, body: AsyncIterable[bytes]) -> AsyncIterator[Spooled]:
        """Keep a body for the block. Raises Unavailable where there is no room, beside the others or on the disk."""
        taken = 0
        told = hashlib.sha256()
        try:
            with tempfile.TemporaryFile(prefix="dateline-import-") as file:
                try:
                    async for chunk in body:
                        if len(chunk) > self._left:
                            raise Unavailable("the bodies of other imports leave no room for this one")
                        self._left -= len(chunk)
                        taken += len(chunk)
                        told.update(chunk)
                        await asyncio.to_thread(file.write, chunk)
                    await asyncio.to_thread(file.seek, 0)
                except OSError as error:
                    # what is still to be written would fail once more
                    with suppress(OSError):
                        file.close()
                    raise Unavailable("there is no room to keep the body") from error
                yield Spooled(file, told.digest())
        finally:
            self._left += taken
