"""Keys for the tests: one that opens everything is in every database that is made from the template."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from service.wire.key_text import digest, prefix_of

ADMIN = "dl_testadmin0_testtesttesttesttesttesttesttesttesttestkey2mHufm"
ADMIN_PREFIX = prefix_of(ADMIN)


def bearer(key: str) -> dict[str, str]:
    """Give the header that sends a key."""
    return {"Authorization": f"Bearer {key}"}


def insert_key(
    url: str, key: str = ADMIN, scopes: Sequence[str] = ("admin",), timelines: Sequence[str] | None = None
) -> None:
    """Put a key into a database, whoever made it."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO api_key (prefix, hash, name, scopes, timelines, created_at, created_by)"
            " VALUES (%s, %s, 'a test', %s, %s, now(), 'test')",
            [prefix_of(key), digest(key), list(scopes), None if timelines is None else list(timelines)],
        )
