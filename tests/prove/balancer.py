"""A balancer of connections: it asks each backend whether it is ready, and leads new connections to those that are.

It knows nothing of HTTP otherwise, tries nothing twice, and leaves connections that are open where they are, as the
plainest of balancers do, a Kubernetes Service among them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.prove import IS_LONG
from tests.prove.http1 import ask

ASK_SECONDS = 0.2
PATIENCE_SECONDS = 1.0 if IS_LONG else 10.0
NOTICE_SECONDS = 60.0


class Balancer:
    """Connections to one address, spread over the backends that are ready; `base` is that address."""

    def __init__(self, backends: list[str]) -> None:
        self.base = ""
        self.turned_away = 0
        self._backends = backends
        self._ready: set[str] = set()
        self._turn = itertools.count()
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Listen, and ask, while the block lasts."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        asking = [asyncio.create_task(self._ask(one)) for one in self._backends]
        try:
            yield
        finally:
            server.close()
            tasks = [*asking, *self._connections]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, backend: str, *, is_ready: bool) -> None:
        """Wait until a backend was found to be ready, or not to be."""
        async with asyncio.timeout(NOTICE_SECONDS):
            while (backend in self._ready) != is_ready:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.05)

    async def _ask(self, backend: str) -> None:
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    status = (await ask(backend, "GET", "/health/ready")).status
            except TimeoutError:
                continue  # slow, as all is on a busy machine, and no reason to lead everybody to the other
            except (OSError, asyncio.IncompleteReadError):
                status = 0
            (self._ready.add if status == 200 else self._ready.discard)(backend)
            await asyncio.sleep(ASK_SECONDS)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            ready = sorted(self._ready)
            if not ready:
                self.turned_away += 1
                return
            address = urlsplit(ready[next(self._turn) % len(ready)])
            there, back = await asyncio.open_connection(address.hostname, address.port)
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        except (OSError, asyncio.CancelledError):
            pass  # either side sees that the other has gone
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, and then that nothing more does."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
