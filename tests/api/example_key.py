"""The key that the published document's examples are of, in the seeded timeline."""

from __future__ import annotations

import psycopg

from service.api.key_examples import KEY


def insert_example_key(url: str) -> None:
    """Insert it as it is shown; nobody has it, for its hash is of nothing."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO api_key (prefix, hash, name, scopes, timelines, created_at, created_by, expires_at) VALUES"
            " (%(prefix)s, sha256('nothing'), %(name)s, %(scopes)s, %(timelines)s, %(created_at)s, %(created_by)s,"
            " %(expires_at)s)",
            KEY,
        )
