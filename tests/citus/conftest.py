"""What the tests of a cluster share: one database of it, on which tables with data in them were spread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from service.store.database import Database
from tests.client import Client, connected

ResultT = TypeVar("ResultT")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, postgres: str, template: str) -> str:
    """Answer the URL of the coordinator's database."""
    if request.config.getoption("--postgres") != "citus":
        pytest.skip("this is for a Citus cluster: make test-citus")
    return postgres if template else ""


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
