"""A real streaming replica of the tests' PostgreSQL, which can be held up, killed, and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from service.embedded import EmbeddedPostgres, find_programs
from service.embedded.account import server_account
from tests.servers import HASTY
from tests.waiting import PATIENCE_SECONDS, wait_until

# A statement in the way of what is replayed is ended at once; a primary that was lost is looked for soon.
IMPATIENT = {"max_standby_streaming_delay": "0", "wal_retrieve_retry_interval": "100ms"}


class ReplicaServer:
    """A replica of a whole server on a folder; `url_of` names its databases, by addresses that outlive its process."""

    def __init__(self, folder: Path, primary: str, *, connections: int, system: bool) -> None:
        self._data, self._address = folder / "data", folder / "at"
        self._primary = primary
        self._options = {**HASTY, **IMPATIENT}
        self._connections = connections
        self._programs = find_programs(system=system)
        self._copy()
        self.start()

    def _copy(self) -> None:
        cluster = self._data / "postgresql"
        self._data.mkdir()
        program = str(self._programs.folder / "pg_basebackup")
        command = [program, "--dbname", self._primary, "--pgdata", str(cluster), "--write-recovery-conf"]
        subprocess.run([*command, "--checkpoint=fast", "--no-sync"], check=True, timeout=PATIENCE_SECONDS)
        account = server_account(cluster)
        if account is not None:
            for path in (cluster, *cluster.rglob("*")):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)

    def start(self) -> None:
        """Start it, or start it again on what it has."""
        self._server = EmbeddedPostgres(
            self._data, connections=self._connections, options=self._options, programs=self._programs
        )
        where = conninfo_to_dict(self._server.start())["host"]
        self._address.unlink(missing_ok=True)
        self._address.symlink_to(str(where))

    def kill(self) -> None:
        """Kill every process of it."""
        assert self._server.pid is not None
        postmaster = psutil.Process(self._server.pid)
        for process in (postmaster, *postmaster.children()):
            os.kill(process.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        self._server.stop()

    def url_of(self, database_url: str) -> str:
        """Name its copy of a database of the primary."""
        name = conninfo_to_dict(database_url)["dbname"]
        return f"postgresql://postgres@/{name}?host={quote(str(self._address), safe='')}"

    def pause(self) -> None:
        """Have it replay nothing more for now; what it has, it shows."""
        self._tell("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self.ask("SELECT pg_get_wal_replay_pause_state() = 'paused'"))

    def resume(self) -> None:
        self._tell("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until it has replayed all that was committed by now."""
        with psycopg.connect(self._primary, autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            connection.execute("CHECKPOINT")  # writes something more, and all of it to the disk
        assert row is not None
        wait_until(lambda: self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'"))

    def ask(self, question: str) -> bool:
        """Ask it something to which it says yes or no."""
        with psycopg.connect(self.url_of(self._primary), autocommit=True) as connection:
            return connection.execute(question).fetchone() == (True,)

    def _tell(self, command: str) -> None:
        with psycopg.connect(self.url_of(self._primary), autocommit=True) as connection:
            connection.execute(command)


@contextmanager
def replica_of(primary: str, *, system: bool) -> Iterator[ReplicaServer]:
    """Run a replica of the server with this maintenance database, until the block ends."""
    with psycopg.connect(primary) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    assert row is not None
    folder = Path(tempfile.mkdtemp(prefix="dateline-replica-"))
    folder.chmod(0o711)
    try:
        server = ReplicaServer(folder, primary, connections=int(row[0]), system=system)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
