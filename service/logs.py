"""Logs: everything that is said, by us and by the libraries, in one form.

JSON, a line each, for machines; text for whoever sits at a terminal. What a request's lines are `about`, its name and
its trace, stands in every one of them. Local variables never stand in a traceback, since a secret may be among them;
what looks like a secret is struck out wherever it comes from.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "text"]

STRUCK = "***"
_MOST_FRAMES = 30
# A line that has none of these holds no secret that the expression would find; they are quick to look for.
_SIGNS = ("dl_", "whsec_", "earer ", "EARER ", "://", "assword=")
_SECRET = re.compile(
    r"""
      (?<![A-Za-z0-9]) (?P<key> dl_ (?: [0-9a-z]{10} (?=_) )? ) [A-Za-z0-9_-]{16,}
    | (?P<webhook> whsec_ ) [A-Za-z0-9+/=]+
    | (?P<scheme> (?i:bearer) [ ]+ ) [^\s"'\\,]+
    | (?P<user> :// [^\s:/@"'\\]* : ) [^\s/@"'\\]+ (?=@)
    | (?P<word> (?i:password|scram_client_key|scram_server_key) = ) [^\s&"'\\]+
    """,
    re.VERBOSE,
)


_about: ContextVar[Mapping[str, str]] = ContextVar("dateline_log_about")
_NOTHING: Mapping[str, str] = {}

About = Token[Mapping[str, str]]


def about(members: Mapping[str, str]) -> About:
    """Have these stand in all that this task logs from now on, until `about_nothing`."""
    return _about.set(members)


def about_nothing(token: About) -> None:
    """End what `about` began."""
    _about.reset(token)


def strike_out(text: str) -> str:
    """Replace what looks like a key, but for the prefix that names it, a webhook's secret, a token, or a password."""
    if not any(sign in text for sign in _SIGNS):
        return text
    return _SECRET.sub(lambda found: f"{''.join(part or '' for part in found.groups())}{STRUCK}", text)


def _struck(renderer: Processor) -> Processor:
    """Have the line that a renderer makes without secrets."""

    def render(logger: object, method: str, event: EventDict) -> str:
        return strike_out(str(renderer(logger, method, event)))

    return render


def _drop_repetition(_logger: object, _method: str, event: EventDict) -> EventDict:
    # what uvicorn adds for a terminal, and what another handler's formatter leaves behind
    for name in ("color_message", "message", "asctime"):
        event.pop(name, None)
    return event


def _order(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Put what every line has first, so that lines can be read one below the other."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "logger", "event") if name in event}
    return first | dict(event)


def _add_about(_logger: object, _method: str, event: EventDict) -> EventDict:
    for name, value in _about.get(_NOTHING).items():
        event.setdefault(name, value)
    return event


_COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    _add_about,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_OF_RECORDS: tuple[Processor, ...] = (
    *_COMMON,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    _drop_repetition,
)
_TRACEBACK = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=_MOST_FRAMES)
_JSON: tuple[Processor, ...] = (
    _order,
    structlog.processors.ExceptionRenderer(_TRACEBACK),
    _struck(structlog.processors.JSONRenderer(ensure_ascii=False)),
)


def _text(*, colours: bool) -> tuple[Processor, ...]:
    return (_struck(structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)),)


class Lines:
    """A logger for what is said at every request, as the log is configured when it is made.

    As JSON a line is written without structlog, whose chain of processors takes as long as the request's other layers
    together; it says the same.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        factory = structlog.get_config()["logger_factory"]
        self._sink = factory if isinstance(factory, _JsonSink) else None
        self._logger: FilteringBoundLogger = structlog.get_logger().bind(logger=name)

    def info(self, event: str, members: Mapping[str, Any]) -> None:
        """Write a line of what was done, unless only what is of concern is logged."""
        if self._sink is None:
            self._logger.info(event, **members)
        elif self._sink.takes_info:
            said = {
                "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                "level": "info",
                "logger": self._name,
                "event": event,
                **members,
                **_about.get(_NOTHING),
            }
            self._sink.write(strike_out(_ENCODER.encode(said)))


_ENCODER = json.JSONEncoder(ensure_ascii=False)


class _Lossy:
    """A stream that takes every line: what its sink has no room for, or nobody reads, is lost, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Have it written now."""
        with suppress(OSError):
            self._stream.flush()


class _JsonSink(structlog.WriteLoggerFactory):
    """Where lines of JSON are written, by structlog and by `Lines`."""

    def __init__(self, stream: _Lossy, *, takes_info: bool) -> None:
        super().__init__(cast("TextIO", stream))
        self._stream = stream
        self.takes_info = takes_info

    def write(self, line: str) -> None:
        """Write a line, now."""
        self._stream.write(f"{line}\n")
        self._stream.flush()


def configure(level: Level, form: Form, stream: TextIO | None = None) -> None:
    """Log to standard error from now on, or to `stream`, in place of whatever was said so before.

    `auto` is text for a terminal and JSON for all else. What the libraries say of their own doings is logged when it is
    of concern, or with `debug`.
    """
    stream = sys.stderr if stream is None else stream
    is_terminal = stream.isatty()
    is_text = form == "text" or (form == "auto" and is_terminal)
    shown = _text(colours=is_terminal and "NO_COLOR" not in os.environ) if is_text else _JSON
    lossy = _Lossy(stream)
    as_stream = cast("TextIO", lossy)
    handler = logging.StreamHandler(as_stream)
    processors = [ProcessorFormatter.remove_processors_meta, *shown]
    handler.setFormatter(ProcessorFormatter(foreign_pre_chain=_OF_RECORDS, processors=processors))
    structlog.configure(
        processors=[*_COMMON, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=(
            structlog.WriteLoggerFactory(as_stream)
            if is_text
            else _JsonSink(lossy, takes_info=level in ("debug", "info"))
        ),
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, least in _levels(level).items():
        logging.getLogger(name).setLevel(least)


def _levels(level: Level) -> Mapping[str, int]:
    libraries = logging.WARNING if level == "info" else logging.NOTSET
    return dict.fromkeys(("alembic", "uvicorn"), libraries)
