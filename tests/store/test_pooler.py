"""Whether a pooler keeps what is prepared is found out by each connection, which leaves nothing behind.

Debian's PgBouncer does not keep it: `pytest --pooler` has the whole API go through that.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict

from service.store.connection import PooledConnection
from service.store.pooler import prepare_if_kept

_NAMES = "SELECT name FROM pg_prepared_statements"


@contextmanager
def renaming(database_url: str) -> Iterator[str]:
    """Stand between a client and its database as PgBouncer does from 1.21 on: statements get another name."""
    to = conninfo_to_dict(database_url)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as server,
    ):
        server.connect(f"{to['host']}/.s.PGSQL.{to['port']}")

        def serve() -> None:
            client, _ = listener.accept()
            with client, suppress(OSError):
                threading.Thread(target=copy, args=(server, client), daemon=True).start()
                with client.makefile("rb") as sent:
                    server.sendall(message(sent.read(4), sent, b""))
                    while kind := sent.read(1):
                        server.sendall(renamed(kind, message(sent.read(4), sent, kind)))

        def message(length: bytes, sent: object, kind: bytes) -> bytes:
            return kind + length + sent.read(int.from_bytes(length) - 4)  # type: ignore[attr-defined, no-any-return]

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield f"postgresql://{to['user']}@127.0.0.1:{port}/{to['dbname']}?sslmode=disable&gssencmode=disable"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def copy(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65536):
            client.sendall(data)


def renamed(kind: bytes, whole: bytes) -> bytes:
    """Rename the statement of a message of the extended protocol: Parse, Bind, Describe and Close name one."""
    body = whole[5:]
    if kind == b"P" and not body.startswith(b"\0"):
        body = b"KEPT" + body
    elif kind == b"B":
        portal, _, rest = body.partition(b"\0")
        body = portal + b"\0" + (rest if rest.startswith(b"\0") else b"KEPT" + rest)
    elif kind in b"DC" and body.startswith(b"S") and body != b"S\0":
        body = b"SKEPT" + body[1:]
    else:
        return whole
    return kind + (len(body) + 4).to_bytes(4) + body


def find_out(url: str) -> tuple[bool, int | None, list[str]]:
    """Connect, and tell whether it is kept, from when on statements are prepared, and what is left behind."""

    async def ask() -> tuple[bool, int | None, list[str]]:
        connection = await PooledConnection.connect(url, autocommit=True)
        async with connection:
            kept = await prepare_if_kept(connection)
            for _ in range(7):
                names = [str(name) for (name,) in await (await connection.execute(_NAMES)).fetchall()]
            return kept, connection.prepare_threshold, names

    return asyncio.run(ask())


def test_what_is_passed_on_as_it_comes_is_not_kept(database_url: str) -> None:
    assert find_out(database_url) == (False, None, [])


def test_what_is_given_another_name_is_kept(database_url: str) -> None:
    with renaming(database_url) as url:
        kept, threshold, names = find_out(url)
    assert (kept, threshold) == (True, 5)
    assert names == ["KEPT_pg3_0", "KEPT_pg3_1"], "the question, and what was asked often"


def test_what_another_has_left_behind_does_not_matter(database_url: str) -> None:
    """As one does that prepares through a pooler which does not keep it."""

    async def ask() -> bool:
        connection = await PooledConnection.connect(database_url, autocommit=True)
        async with connection:
            await connection.execute('PREPARE "_pg3_0" AS SELECT 1')
            return await prepare_if_kept(connection)

    assert asyncio.run(ask()) is False
