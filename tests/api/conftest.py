"""One running application for all tests of the API; each makes a timeline of its own."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from service.seeding import seed
from tests.api.example_key import insert_example_key
from tests.api.example_webhook import insert_example_webhook
from tests.client import Client, connected
from tests.conftest import fresh_database


@pytest.fixture(scope="session")
def api_database_url(postgres: str, template: str) -> Iterator[str]:
    """Answer the URL of the database that the shared application uses."""
    with fresh_database(postgres, template) as url:
        yield url


@pytest.fixture(scope="session")
def api(api_database_url: str) -> Iterator[Client]:
    """Answer a client of the shared application, which may write."""
    with connected(api_database_url) as client:
        yield client


@pytest.fixture
def direct(api_database_url: str) -> Iterator[psycopg.Connection]:
    """Answer a connection of one's own to the database of the shared application."""
    with psycopg.connect(api_database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def seeded_template(postgres: str, template: str) -> Iterator[str]:
    """Name a seeded database that no connection uses."""
    with fresh_database(postgres, template) as url:
        seed(url)
        insert_example_webhook(url)
        insert_example_key(url)
        yield url.rpartition("/")[2].partition("?")[0]


@pytest.fixture(scope="module")
def reading(postgres: str, seeded_template: str) -> Iterator[Client]:
    """Answer a client of a seeded application on which a module's tests write nothing that is not refused."""
    with fresh_database(postgres, seeded_template) as url, connected(url, key=None) as client:
        yield client


@pytest.fixture
def writing(postgres: str, seeded_template: str) -> Iterator[Client]:
    """Answer a client of a seeded application of this test alone."""
    with fresh_database(postgres, seeded_template) as url, connected(url, key=None) as client:
        yield client
