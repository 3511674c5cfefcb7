"""Where a server may listen, and two roles of a database: one that owns it, and one that serves and owns nothing."""

from __future__ import annotations

import secrets
import socket
from typing import NamedTuple

import psycopg
from psycopg import sql


class Roles(NamedTuple):
    """The URLs of a database as the role that owns it and as the one that serves, passwords included."""

    owner: str
    serving: str


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def make_database(administrator: str, port: int) -> Roles:
    """Make an empty database with both roles, as an administrator would who prepares a deployment."""
    owner, serving = (sql.Identifier(name) for name in ("owner", "serving"))
    passwords = [secrets.token_hex(16) for _ in range(2)]
    with psycopg.connect(administrator, autocommit=True) as connection:
        for role, password in zip((owner, serving), passwords, strict=True):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
        connection.execute(sql.SQL("CREATE DATABASE deployed OWNER {}").format(owner))
    return Roles(
        *(
            f"postgresql://{name}:{password}@127.0.0.1:{port}/deployed"
            for name, password in zip(("owner", "serving"), passwords, strict=True)
        )
    )
