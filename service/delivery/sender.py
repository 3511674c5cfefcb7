"""Send one message and say what came of it; whatever a receiver does, it costs a bounded time and a bounded memory."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpcore

from service.delivery.network import AddressRefusedError, GuardedNetwork, Resolve, resolve
from service.delivery.signature import sign
from service.wire.endpoint import parse_endpoint

_USER_AGENT = f"dateline/{importlib.metadata.version('dateline')}"
# What is read of an answer's body, so that a receiver which writes a few words is not cut off.
_MOST_ANSWER_BYTES = 16 * 1024
_SKIM_SECONDS = 1.0
_SECONDS = re.compile(r"[0-9]{1,9}")
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, AddressRefusedError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: where to, under which identity, the body, and the keys to sign it with."""

    url: str
    message_id: str
    body: bytes
    keys: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try: the answer's status, or None and why there was no answer, in words of our own."""

    status: int | None
    error: str | None
    retry_after_seconds: float | None = None

    @property
    def is_delivered(self) -> bool:
        """Tell whether the receiver has it; a redirect is not followed, and is a failure."""
        return self.status is not None and HTTPStatus(200) <= self.status < HTTPStatus(300)

    @property
    def is_gone(self) -> bool:
        """Tell whether the receiver wants nothing more (410)."""
        return self.status == HTTPStatus.GONE


class Sender:
    """A sender of signed messages, by HTTP/1.1, each over a connection of its own, without any proxy.

    A try ends after `timeout_seconds`, all of it together. The certificates trusted are the machine's.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        allow_private: bool,
        resolve: Resolve = resolve,
        certificates: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self._allow_private = allow_private
        self._resolve = resolve
        self._certificates = certificates or ssl.create_default_context()
        self._clock = clock

    async def send(self, message: Message) -> Outcome:
        """Send a message; whatever goes wrong is an outcome, not an error."""
        try:
            async with (
                GuardedNetwork(allow_private=self._allow_private, resolve=self._resolve) as network,
                asyncio.timeout(self.timeout_seconds) as limit,
            ):
                return await self._exchange(message, network, limit)
        except (TimeoutError, httpcore.TimeoutException):
            return Outcome(None, f"no answer within {self.timeout_seconds:g} s")
        except _FAILURES as error:
            return Outcome(None, _words(error))

    async def _exchange(self, message: Message, network: GuardedNetwork, limit: asyncio.Timeout) -> Outcome:
        endpoint = parse_endpoint(message.url)
        url = httpcore.URL(
            scheme=endpoint.scheme, host=endpoint.host, port=endpoint.port, target=endpoint.target.encode()
        )
        timestamp = int(self._clock())
        headers: dict[bytes | str, bytes | str] = {
            "Host": endpoint.authority,
            "Content-Type": "application/json",
            "Content-Length": str(len(message.body)),
            "User-Agent": _USER_AGENT,
            "Connection": "close",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(message.keys, message.message_id, timestamp, message.body),
        }
        connection = httpcore.AsyncHTTPConnection(
            url.origin, self._certificates, network_backend=network, http1=True, http2=False
        )
        limits = {"timeout": {"connect": self.timeout_seconds}}
        async with (
            connection,
            connection.stream("POST", url, headers=headers, content=message.body, extensions=limits) as answer,
        ):
            limit.reschedule(None)
            given = {name.lower(): value for name, value in answer.headers}
            outcome = self._outcome(answer.status, given)
            await _skim(answer)
            return outcome

    def _outcome(self, status: int, headers: Mapping[bytes, bytes]) -> Outcome:
        error = None if HTTPStatus(200) <= status < HTTPStatus(300) else f"answered {status}"
        return Outcome(status, error, self._asked_seconds(headers.get(b"retry-after", b"")))

    def _asked_seconds(self, value: bytes) -> float | None:
        """Read `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date."""
        text = value.decode("latin-1").strip()
        if _SECONDS.fullmatch(text):
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock())
        except (ValueError, OverflowError):
            return None


async def _skim(answer: httpcore.Response) -> None:
    """Read the start of an answer's body and drop it; the answer's status stands, whatever happens here."""
    read = 0
    with suppress(httpcore.NetworkError, httpcore.ProtocolError, OSError):
        async with asyncio.timeout(_SKIM_SECONDS):
            async for chunk in answer.aiter_stream():
                read += len(chunk)
                if read > _MOST_ANSWER_BYTES:
                    return


# The first that fits.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpcore.ConnectError, "no connection"),
    (AddressRefusedError, "the host has an address to which nothing is sent"),
    (ssl.SSLError, "the TLS connection broke"),
    (OSError, "the host is not found"),
    (ValueError, "the address is none that is sent to"),
)


def _words(error: Exception) -> str:
    """Say what went wrong in words of our own: a receiver's would be an echo."""
    if isinstance(error, httpcore.ConnectError) and isinstance(error.__cause__, ssl.SSLError):
        return "no trusted TLS connection"
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "no HTTP answer")
