"""PgBouncer in front of a PostgreSQL: it lends its connections by the transaction."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

# it is started as root in a container, and refuses to be that
_AS_NOBODY = ("--user", "nobody") if os.geteuid() == 0 else ()


def find_pooler() -> str | None:
    """Find the program on this machine."""
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


class Pooler:
    """A running pooler; `url_of` leads through it to a database of its server."""

    def __init__(self, port: int, user: str) -> None:
        self._port = port
        self._user = user

    def url_of(self, database_url: str) -> str:
        """Name a database of the server by the way through the pooler."""
        return f"postgresql://{self._user}@127.0.0.1:{self._port}/{conninfo_to_dict(database_url)['dbname']}"

    def settings_of(self, database_url: str) -> dict[str, str]:
        """Tell an application of the way through the pooler, and of the way past it."""
        return {"database_url": self.url_of(database_url), "direct_database_url": database_url}


class Way:
    """How applications in this process reach a database: `through` a pooler, if there is one and that is taken."""

    through: Pooler | None = None
    is_taken = False

    @classmethod
    def to(cls, database_url: str) -> dict[str, str]:
        """Give an application's settings of the way to a database."""
        if cls.through is None or not cls.is_taken:
            return {"database_url": database_url}
        return cls.through.settings_of(database_url)


@contextmanager
def pooler(program: str, server_url: str, *more: str, connections: int = 3) -> Iterator[Pooler]:
    """Run PgBouncer for a block, with so many connections to each database; `more` are lines of its configuration."""
    to = conninfo_to_dict(server_url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="dateline-pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        users, settings = folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"{to["user"]}" ""\n')
        lines = (
            "[databases]",
            f"* = host={to['host']} port={to.get('port', 5432)} user={to['user']}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            f"auth_file = {users}",
            "pool_mode = transaction",
            f"default_pool_size = {connections}",
            "max_client_conn = 1000",
            *more,
        )
        settings.write_text("\n".join(lines))
        command = [program, "--quiet", *_AS_NOBODY, str(settings)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                made = Pooler(port, str(to["user"]))
                _wait_for(made.url_of(server_url))
                yield made
            finally:
                process.terminate()
                process.wait(10)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
