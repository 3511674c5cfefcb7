"""Two databases, each with an application: one that is exported, one that is imported into."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client import Client, connected
from tests.conftest import fresh_database


@pytest.fixture(scope="module")
def here_url(postgres: str, template: str) -> Iterator[str]:
    with fresh_database(postgres, template) as url:
        yield url


@pytest.fixture(scope="module")
def here(here_url: str) -> Iterator[Client]:
    with connected(here_url) as client:
        yield client


@pytest.fixture(scope="module")
def there(module_database_url: str) -> Iterator[Client]:
    with connected(module_database_url) as client:
        yield client
