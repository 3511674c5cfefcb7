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
        self.deadline = math.inf
        self._sends: WeakSet[PatientSend] = WeakSet()

    def patient(self, send: Send, seconds: float) -> PatientSend:
        """Make of `send` one that waits at most so long for the client to take a part."""
        patient = PatientSend(send, seconds, self)
        self._sends.add(patient)
        return patient

    def hurry(self, seconds: float) -> None:
        """Send nothing more after so many seconds: not what is to come, and not what is on its way."""
        self.deadline = asyncio.get_running_loop().time() + seconds
        for send in self._sends:
            send.hurry(self.deadline)


class PatientSend:
    """Send part after part, each once the client has made room for it."""

    def __init__(self, send: Send, seconds: float, clients: Clients) -> None:
        self._send = send
        self._seconds = seconds
        self._clients = clients
        self._patience: asyncio.Timeout | None = None

    async def __call__(self, message: Message) -> None:
        """Send a part. Raises SlowClientError where the client has not made room in time."""
        now = asyncio.get_running_loop().time()
        if now >= self._clients.deadline:
            raise SlowClientError
        try:
            async with asyncio.timeout_at(min(now + self._seconds, self._clients.deadline)) as self._patience:
                await self._send(message)
        except TimeoutError as error:
            raise SlowClientError from error
        finally:
            self._patience = None

    def hurry(self, deadline: float) -> None:
        """Wait no longer than until the deadline, a time of the loop, for a part that is on its way."""
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(min(deadline, self._patience.when() or deadline))
