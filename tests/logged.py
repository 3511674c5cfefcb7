"""The log of this process, read by a test."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from service.logs import Form, Level, configure


class Log:
    """What has been logged."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def lines(self, logger: str = "") -> list[dict[str, Any]]:
        """Read the lines of a logger, or of all, where they are JSON."""
        read = [json.loads(line) for line in self.text.split("\n") if line]
        return [line for line in read if not logger or line["logger"] == logger]

    def clear(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()


@contextmanager
def logged(form: Form = "json", level: Level = "info", stream: io.StringIO | None = None) -> Iterator[Log]:
    """Log to a text for a block; afterwards all is as it was."""
    stream = stream or io.StringIO()
    root = logging.getLogger()
    # pytest's own handlers, which would otherwise be closed
    others, least, former = root.handlers, root.level, structlog.get_config()
    root.handlers = []
    configure(level, form, stream)
    ours = root.handlers[:]
    root.handlers = [*others, *ours]
    try:
        yield Log(stream)
    finally:
        root.handlers = [handler for handler in root.handlers if handler not in ours]
        root.setLevel(least)
        structlog.configure(**former)
