"""What the tests of a cluster share: one database of it, on which tables with data in them were spread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from service.seeding import seed
from service.store.database import Database
from service.store.distribution import distribute
from service.store.migration import migrate
from tests.client import Client, connected
from tests.conftest import fresh_database
from tests.keys import insert_key

ResultT = TypeVar("ResultT")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, postgres: str, empty_template: str) -> Iterator[str]:
    """Answer the URL of the coordinator's database."""
    if request.config.getoption("--postgres") != "citus":
        pytest.skip("this is for a Citus cluster: make test-citus")
    with fresh_database(postgres, empty_template) as url:
        migrate(url)
        insert_key(url)
        seed(url)  # so that there is something to be spread
        distribute(url)
        yield url


@pytest.fixture(scope="session")
def api(cluster: str) -> Iterator[Client]:
    """Answer a client of an application on the cluster, which may write."""
    with connected(cluster) as client:
        yield client


@pytest.fixture
def using(cluster: str) -> Callable[[Callable[[Database], Awaitable[ResultT]]], ResultT]:
    """Answer what does something with a database of the cluster."""

    def use(work: Callable[[Database], Awaitable[ResultT]]) -> ResultT:
        async def within() -> ResultT:
            database = Database(cluster, pool_size=2, statement_timeout_seconds=20)
            await database.open()
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(within())

    return use
