"""A PostgreSQL on TCP that can be frozen, killed and started again, and a network that swallows what is sent to it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
from psycopg import sql

from service.embedded import EmbeddedPostgres
from tests.image.database import free_port

NAME = "dateline"
ResultT = TypeVar("ResultT")


class Cluster:
    """A PostgreSQL with an empty database of a role that has a password; `port` is where it listens on loopback.

    It is started from a thread of its own, which lives as long as this: a server ends with the thread that started it.
    """

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o711)
        rules = folder / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self._starter = ThreadPoolExecutor(1, "postgres")
        options = {"listen_addresses": "127.0.0.1", "port": str(self.port), "hba_file": str(rules)}
        self._server = EmbeddedPostgres(folder / "data", options=options)
        self.start()
        with psycopg.connect(self.administrator, autocommit=True) as connection:
            role, password = sql.Identifier(NAME), sql.Literal(self.password)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
            connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))

    @property
    def administrator(self) -> str:
        """Give the superuser's own way in, to the database for maintenance."""
        return f"{self._server.url}&port={self.port}"

    def url(self, port: int | None = None) -> str:
        """Give the database's URL, or that of a way to it through another port."""
        return f"postgresql://{NAME}:{self.password}@127.0.0.1:{port or self.port}/{NAME}"

    def start(self) -> None:
        """Start it, on the data that are there."""
        self._starter.submit(self._server.start).result()

    def freeze(self) -> None:
        """Stop every process of it where it stands: connections are accepted, and nothing is answered."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        """Let all of them go on."""
        for process in self._processes():
            process.resume()

    def kill(self) -> None:
        """Kill every process of it."""
        for process in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self._server.stop()

    def close(self) -> None:
        """End it, however it is."""
        with suppress(psutil.NoSuchProcess, TypeError):  # it may have been killed
            self.thaw()
        self._server.stop()
        self._starter.shutdown()

    def _processes(self) -> list[psutil.Process]:
        """List the postmaster, and then the others: it would start new ones."""
        postmaster = psutil.Process(self._server.pid)
        return [postmaster, *postmaster.children(recursive=True)]


class Network:
    """A way to a port on this machine that can stop to let anything through, in either direction.

    What is sent meanwhile arrives later, as with packets that are sent anew.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._passes = asyncio.Event()
        self._passes.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self._thread.start()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server = self._run(asyncio.start_server(self._connect, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def swallow(self) -> None:
        """Let nothing through."""
        self._loop.call_soon_threadsafe(self._passes.clear)

    def recover(self) -> None:
        """Let everything through again."""
        self._loop.call_soon_threadsafe(self._passes.set)

    def close(self) -> None:
        """Cut all connections."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, what: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)
        with suppress(OSError, asyncio.CancelledError):
            await self._passes.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            back.close()
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run such a PostgreSQL for a block."""
    one = Cluster(folder)
    try:
        yield one
    finally:
        one.close()


@contextmanager
def network(port: int) -> Iterator[Network]:
    """Have such a network for a block."""
    one = Network(port)
    try:
        yield one
    finally:
        one.close()
