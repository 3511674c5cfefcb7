"""HTTP/1.1 as it goes over one connection: what a proof must see, and clients in general hide.

Whether an answer came whole, whether its connection ends with it, and whether that was said before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

LINE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]

    @property
    def is_last(self) -> bool:
        """Tell whether the server has said that the connection ends with this answer."""
        return self.headers.get("connection", "").lower() == "close"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole answer."""

    head: Head
    body: bytes

    @property
    def status(self) -> int:
        return self.head.status

    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


class Connection:
    """A connection, over which one request goes after another.

    What reads raises IncompleteReadError or ConnectionError where the server ends it within an answer, or before.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, base: str, *, limit: int = LINE_BYTES) -> Self:
        """Connect; `limit` is how many bytes are taken that nobody has read yet."""
        address = urlsplit(base)
        return cls(*await asyncio.open_connection(address.hostname, address.port, limit=limit))

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        withheld_bytes: int = 0,
    ) -> bytes:
        """Send a request, its body as JSON; give the end of it that was withheld."""
        content = b"" if body is None else json.dumps(body).encode()
        typed = {} if body is None else {"Content-Type": "application/json"}
        lines = {"Host": "proof", "Content-Length": str(len(content)), **typed, **(headers or {})}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        sent = len(content) - withheld_bytes
        await self.send_rest(head.encode() + b"\r\n" + content[:sent])
        return content[sent:]

    async def send_rest(self, rest: bytes) -> None:
        """Send what is left of a request."""
        self._writer.write(rest)
        await self._writer.drain()

    async def head(self) -> Head:
        """Read the beginning of an answer."""
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(": ") for line in lines if line)
        return Head(int(first.split()[1]), {name.lower(): value for name, _, value in fields})

    async def parts(self, head: Head) -> AsyncIterator[bytes]:
        """Read the rest of an answer in the parts in which it comes."""
        if head.headers.get("transfer-encoding") != "chunked":
            yield await self._reader.readexactly(int(head.headers.get("content-length", "0")))
            return
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)

    async def answer(self) -> Whole:
        """Read an answer."""
        head = await self.head()
        return Whole(head, b"".join([part async for part in self.parts(head)]))

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: object = None
    ) -> Whole:
        """Send a request and read its answer."""
        await self.send(method, path, headers=headers, body=body)
        return await self.answer()

    async def ends(self) -> bool:
        """Wait for the server to end the connection; tell whether it said nothing more."""
        return await self._reader.read(1) == b""

    def close(self) -> None:
        self._writer.close()


async def ask(
    base: str, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: object = None
) -> Whole:
    """Send one request over a connection of its own."""
    connection = await Connection.open(base)
    try:
        return await connection.ask(method, path, headers={"Connection": "close", **(headers or {})}, body=body)
    finally:
        connection.close()
