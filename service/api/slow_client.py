"""What is sent to a client that takes it too slowly is given up: nobody holds the service's means for ever."""

from __future__ import annotations

import asyncio
import math
from weakref import WeakSet

from starlette.types import Message, Send


class SlowClientError(Exception):
    """Say that a client takes nothing more."""


class Clients:
    """Everybody to whom this process is sending something in parts."""

    def __init__(self) -> None:
        self.most_seconds = math.inf
        self._sends: WeakSet[PatientSend] = WeakSet()

    def patient(self, send: Send, seconds: float) -> PatientSend:
        """Make of `send` one that waits at most so long for the client to take a part."""
        patient = PatientSend(send, seconds, self)
        self._sends.add(patient)
        return patient

    def hurry(self, seconds: float) -> None:
        """Wait at most so long from now on, for the parts that are on their way, too."""
        self.most_seconds = seconds
        for send in self._sends:
            send.hurry(seconds)


class PatientSend:
    """Send part after part, each once the client has made room for it."""

    def __init__(self, send: Send, seconds: float, clients: Clients) -> None:
        self._send = send
        self._seconds = seconds
        self._clients = clients
        self._patience: asyncio.Timeout | None = None

    async def __call__(self, message: Message) -> None:
        """Send a part. Raises SlowClientError where the client has not made room in time."""
        try:
            async with asyncio.timeout(min(self._seconds, self._clients.most_seconds)) as self._patience:
                await self._send(message)
        except TimeoutError as error:
            raise SlowClientError from error
        finally:
            self._patience = None

    def hurry(self, seconds: float) -> None:
        """Give a part that is on its way only so long."""
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + min(self._seconds, seconds))
