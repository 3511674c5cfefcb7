"""HTTP/1.1 as far as the benchmark's client needs it: requests are spelt out, and answers read to their ends.

Nothing of an answer is kept but its status and its length, so that reading costs little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_END, _LINE_END = b"\r\n\r\n", b"\r\n"
_BODILESS = (204, 304)  # RFC 9110, section 6.4.1


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: str = ""

    def spelt(self) -> bytes:
        """Spell it out as it is sent."""
        body = self.body.encode()
        given = {"Host": "127.0.0.1", "Accept": "*/*"} | dict(self.headers)
        if body:
            given["Content-Length"] = str(len(body))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


def dump(requests: Iterable[Request]) -> str:
    """Write requests for another process, one a line."""
    return "\n".join(json.dumps(asdict(one)) for one in requests)


def load(text: str) -> Sequence[Request]:
    """Read what `dump` wrote."""
    return [Request(**json.loads(line)) for line in text.splitlines()]


class AnswerError(Exception):
    """Say what was answered instead of what was expected."""


class AnswerReader:
    """Takes a connection's bytes as they come, and tells where an answer ends.

    Requests are not pipelined, so that an answer's last byte is the last one that has come. An answer of another
    status than was expected, or of no known length, raises AnswerError.
    """

    def __init__(self, status: int = 200) -> None:
        self._status = status
        self._head = b""
        self._missing = -1  # bytes of the body, or of its present chunk, that are to come; -1 in the head
        self._is_chunked = self._is_last = False

    def take(self, data: bytes) -> bool:
        """Take a piece; answers whether the answer is complete, after which the next one may begin."""
        if self._missing < 0:
            self._head += data
            end = self._head.find(_END)
            if end < 0:
                return False
            data = self._head[end + len(_END) :]
            self._read_head(end)
        if self._is_chunked:
            is_complete = self._take_chunks(data)
        else:
            self._missing -= len(data)
            if self._missing < 0:
                raise AnswerError("more was answered than was asked for")
            is_complete = self._missing == 0
        if is_complete:
            self._missing = -1
            self._head = b""
        return is_complete

    def _read_head(self, end: int) -> None:
        status = _STATUS.match(self._head)
        if status is None or int(status[1]) != self._status:
            raise AnswerError(
                f"{self._status} was expected, and this came: {self._head[:2000].decode(errors='replace')}"
            )
        length = _LENGTH.search(self._head, 0, end + 2)
        self._is_chunked = self._is_last = False
        if self._status in _BODILESS:
            self._missing = 0
        elif length is not None:
            self._missing = int(length[1])
        elif _CHUNKED.search(self._head, 0, end + 2):
            self._is_chunked = True
            self._missing = 0
        else:
            raise AnswerError("an answer that does not say how long it is")
        self._head = b""

    def _take_chunks(self, data: bytes) -> bool:
        """Pass over chunks (RFC 9112, section 7.1) and over the ends of their lines; trailers are not expected."""
        data, self._head, position = self._head + data, b"", 0
        while True:
            taken = min(self._missing, len(data) - position)
            self._missing -= taken
            position += taken
            if self._missing:
                return False
            if self._is_last:
                return True
            end = data.find(_LINE_END, position)
            if end < 0:
                self._head = data[position:]
                return False
            size = int(data[position:end].partition(b";")[0], 16)
            self._is_last = size == 0
            self._missing = size + len(_LINE_END)
            position = end + len(_LINE_END)
