"""A follower of event streams who keeps every change in its order, and the place to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from tests.prove.http1 import Connection, ask


@dataclass
class Follower:
    """Who follows one timeline: the cursors of all changes that were seen, and where the last stream came to.

    `ends` counts the streams that ended as they should, `cuts` those that did not.
    """

    path: str
    place: str = "latest"
    start: str = ""
    seen: list[str] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    ends: int = 0
    cuts: int = 0

    async def follow(self, base: str) -> None:
        """Read a stream until it ends. Raises OSError where nobody listens."""
        connection = await Connection.open(base)
        try:
            await connection.send("GET", f"{self.path}?after={self.place}&documents=false", headers=_ACCEPT)
            head = await connection.head()
            if head.status != 200:
                return
            async for message in _messages(connection.parts(head)):
                self._take(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.cuts += 1
        else:
            self.ends += 1
        finally:
            connection.close()

    async def go_on(self, base: str, *, pause_seconds: float = 0.2) -> None:
        """Follow for ever, from where the last stream came to."""
        while True:
            with suppress(OSError):
                await self.follow(base)
            await asyncio.sleep(pause_seconds)

    def _take(self, message: dict[str, str]) -> None:
        if "id" in message:
            self.place = message["id"]
            self.start = self.start or self.place
        if "data" in message:
            self.seen.append(message["id"])
        self.opened.set()


async def read_cursors(base: str, path: str, after: str) -> list[str]:
    """Read the cursors of all changes behind a place, page by page."""
    found: list[str] = []
    place: str | None = after
    while place is not None:
        page = (await ask(base, "GET", f"{path}?limit=200&documents=false&after={place}")).json()
        found += [one["cursor"] for one in page["items"]]
        place = page["next"]
    return found


_ACCEPT = {"Accept": "text/event-stream"}


async def _messages(parts: AsyncIterator[bytes]) -> AsyncIterator[dict[str, str]]:
    """Take messages from the parts of a stream (HTML, section 9.2)."""
    text = ""
    async for part in parts:
        text += part.decode()
        *whole, text = text.split("\n\n")
        for one in whole:
            fields = (line.partition(": ") for line in one.split("\n"))
            yield {name.removesuffix(":"): value for name, _, value in fields}
