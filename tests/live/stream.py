"""A client of event streams, for tests: messages one by one, over a connection of its own."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

Message = dict[str, str]


class Stream:
    """An open stream; reading gives up after `seconds` without a line."""

    def __init__(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        self._connection = connection
        self.answer = answer

    def message(self) -> Message | None:
        """Read the next message as the fields that it has, a comment under an empty name; None at the end."""
        found: Message = {}
        while line := self.answer.readline().decode():
            if line == "\n":
                return found
            name, _, value = line.rstrip("\n").partition(": ")
            found[name.removesuffix(":")] = value
        return None

    def item(self) -> dict[str, Any]:
        """Read on to the next change."""
        while (message := self.message()) is not None:
            if "data" in message:
                item: dict[str, Any] = json.loads(message["data"])
                assert message["event"] == item["operation"]
                assert message["id"] == item["cursor"]
                return item
        raise AssertionError("the stream has ended")

    def rest(self) -> list[Message]:
        """Read on to the end."""
        found = []
        while (message := self.message()) is not None:
            found.append(message)
        return found


@contextmanager
def opened(url: str, *, seconds: float = 10, last_event_id: str | None = None) -> Iterator[Stream]:
    """Open a stream for a block."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=seconds)
    headers = {"Accept": "text/event-stream"} | ({} if last_event_id is None else {"Last-Event-ID": last_event_id})
    connection.request("GET", f"{address.path}?{address.query}", headers=headers)
    answer = connection.getresponse()
    try:
        yield Stream(connection, answer)
    finally:
        answer.close()
        connection.close()


def ask_and_take_nothing(url: str, *, accept: str = "text/event-stream") -> socket.socket:
    """Ask for a stream and never read: a client that has stalled."""
    address = urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((str(address.hostname), address.port))
    head = f"GET {address.path}?{address.query} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n"
    connection.sendall(head.encode())
    return connection
