"""A PostgreSQL as a container would meet it: on TCP, with a password, and no superuser for it."""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from service.embedded import EmbeddedPostgres

NAME = "dateline"


class External(NamedTuple):
    """A database on TCP: a URL without the password, the password, and the superuser's own way in."""

    url: str
    password: str
    administrator: str


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def external_database() -> Iterator[External]:
    """Run a PostgreSQL on loopback with an empty database of a role that has a password."""
    port = free_port()
    password = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="dateline-external-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        rules = folder / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        server = EmbeddedPostgres(
            folder / "data",
            options={"listen_addresses": "127.0.0.1", "port": str(port), "hba_file": str(rules)},
        )
        with server as url:
            administrator = f"{url}&port={port}"
            with psycopg.connect(administrator, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(NAME), sql.Literal(password))
                )
                connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(NAME)))
            yield External(f"postgresql://{NAME}@127.0.0.1:{port}/{NAME}", password, administrator)
