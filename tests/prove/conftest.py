"""What proofs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client import Client, connected


@pytest.fixture(scope="module")
def api(module_database_url: str) -> Iterator[Client]:
    """Answer a client of an application on a database of this module's own."""
    with connected(module_database_url) as client:
        yield client
