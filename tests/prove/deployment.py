"""The service on a PostgreSQL of its own machine, each of which is killed and started again while the other goes on.

PostgreSQL runs as an operator's would: with fsync, at an address that stays. A SIGKILL tests what processes promise
each other, not the disk: what was written and not synced is in the kernel's hands, which goes on.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from service.embedded import EmbeddedPostgres
from service.embedded.account import server_account
from service.store.migration import migrate
from tests.keys import insert_key
from tests.live.service import Service, start, wait_for_addresses


class DurablePostgres:
    """A PostgreSQL with fsync on a folder, at the same address whenever it runs.

    Start it from a thread that lives as long as it should. `options` are server settings by name.
    """

    def __init__(self, folder: Path, sockets: Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._options = {"unix_socket_directories": str(sockets), **(options or {})}
        self._sockets = sockets
        self._server: EmbeddedPostgres | None = None

    @property
    def url(self) -> str:
        """Give the address of its database."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._sockets), safe='')}"

    @property
    def process(self) -> psutil.Process:
        """Give the postmaster."""
        assert self._server is not None
        assert self._server.pid is not None
        return psutil.Process(self._server.pid)

    @property
    def is_running(self) -> bool:
        """Tell whether the postmaster runs."""
        return self._server is not None and self._server.pid is not None

    def start(self) -> None:
        """Start it, recovering what a killed one left. Raises EmbeddedError."""
        self._server = EmbeddedPostgres(self.folder, options=self._options)
        self._server.start()

    def stop(self) -> None:
        """End it, and let go of the folder; of one that was killed, too."""
        if self._server is not None:
            self._server.stop()


@contextmanager
def durable_postgres(folder: Path, options: Mapping[str, str] | None = None) -> Iterator[DurablePostgres]:
    """Run a PostgreSQL on a folder that has the service's schema and a key."""
    with tempfile.TemporaryDirectory(prefix="dateline-sockets-") as sockets:
        if (account := server_account(folder / "postgresql")) is not None:
            shutil.chown(sockets, account.uid, account.gid)
        database = DurablePostgres(folder, Path(sockets), options)
        try:
            database.start()
            with psycopg.connect(database.url) as connection:
                assert connection.execute("SHOW fsync").fetchone() == ("on",)
            migrate(database.url)
            insert_key(database.url)
            yield database
        finally:
            database.stop()


class Victim(StrEnum):
    """Whom a SIGKILL hits."""

    SERVER = "the service, with all its processes"
    POSTMASTER = "PostgreSQL's first process: the others end by themselves"
    DATABASE = "PostgreSQL, with all its processes"


class Deployment:
    """The service and its database, running."""

    def __init__(self, folder: Path, database: DurablePostgres, **settings: object) -> None:
        self.database = database
        self._folder = folder
        self._settings = settings
        self._service = self._start()

    @property
    def base(self) -> str:
        """Give where the service listens, or last did."""
        return self._service.base

    def kill(self, victim: Victim) -> None:
        """Kill one of both."""
        if victim is Victim.SERVER:
            os.killpg(self._service.process.pid, signal.SIGKILL)
            self._service.process.wait(30)
            return
        process = self.database.process
        processes = [process]
        if victim is Victim.DATABASE:
            processes += process.children()
        for one in processes:
            with suppress(ProcessLookupError):  # a backend may have ended by itself meanwhile
                os.kill(one.pid, signal.SIGKILL)
        process.wait(30)

    def restart(self) -> None:
        """Start anew what was killed."""
        if self._service.process.poll() is not None:
            self._close()
            self._service = self._start()
        if not self.database.is_running:
            self.database.stop()
            self.database.start()

    def stop(self) -> None:
        """End the service as its operator would."""
        self._service.process.terminate()
        assert self._service.process.wait(60) == 0
        self._close()

    def _start(self) -> Service:
        settings = {"database_url": self.database.url, "seed": "false", **self._settings}
        return wait_for_addresses(start(self._folder, **settings))

    def _close(self) -> None:
        if self._service.process.stdout is not None:
            self._service.process.stdout.close()


@contextmanager
def deployed(folder: Path, database: DurablePostgres, **settings: object) -> Iterator[Deployment]:
    """Run the service on a database for a block."""
    deployment = Deployment(folder, database, **settings)
    try:
        yield deployment
    finally:
        deployment.stop()
