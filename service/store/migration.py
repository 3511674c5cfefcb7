"""Bring a database's schema to this release's, and tell whether it is there."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy.exc import OperationalError

from service.store.epoch import enter_epoch_at

logger = logging.getLogger("dateline.migration")

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
# Any number will do that no other user of the same database takes. Release 0.1.0 took another one, and waited for it
# within a statement: as long as it did so on this one, no index could be laid.
ADVISORY_LOCK = 0x44_41_54_48
_TRY_TURN = f"SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})"
_TURN_SECONDS = 0.2
# For about five minutes, in which a long report or backup may end; with the time that each try takes, some more.
_PAUSES_SECONDS = (0.5, 1.0, 2.0, *itertools.repeat(5.0, 60))


def configuration(url: str) -> Config:
    """Make Alembic's configuration for this database; the URL stays out of any file and printout."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes["url"] = sqlalchemy_url(url)
    return config


def sqlalchemy_url(url: str) -> str:
    """Name the driver in a libpq URL (`postgres://`, `postgresql://`), as SQLAlchemy wants it."""
    scheme, separator, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        return f"postgresql+psycopg{separator}{rest}"
    return url


def migrate(url: str) -> None:
    """Run all pending migrations, one by one, and see whether this is a restored dump.

    Several processes may call this at once, and an application may go on meanwhile. A schema that a later release has
    brought further is left as it is: this release runs on it.

    Raises psycopg.OperationalError or sqlalchemy.exc.OperationalError where the database cannot be reached, and the
    latter too where others held a table for long.
    """
    # who has nothing to do waits for nobody: a server may start while another one is brought further
    if not _is_done(url):
        with _turn(url):
            if not _is_done(url):
                _upgrade(configuration(url))
    enter_epoch_at(url)


@contextmanager
def _turn(url: str) -> Iterator[None]:
    """Wait until no other process migrates, and have others wait for the block.

    The lock is a transaction's, so that it holds behind a pooler too, on a connection of its own, since migrations end
    theirs. Whoever waits asks now and then: a statement that waited would keep what an index is laid upon waiting.
    """
    with psycopg.connect(url) as connection:
        while not _try_turn(connection):
            connection.rollback()
            time.sleep(_TURN_SECONDS)
        yield


def _try_turn(connection: psycopg.Connection) -> bool:
    connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    # Without parameters psycopg has the statement end at once. One with them would keep its snapshot until the next,
    # and an index that is laid concurrently waits for all snapshots.
    row = connection.execute(_TRY_TURN).fetchone()
    return row == (True,)


def _is_done(url: str) -> bool:
    """Tell whether the schema is this release's, or at a revision that this release does not know: a later one's."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return False
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row is not None and (row[0] == head_revision() or row[0] not in known_revisions())


def _upgrade(config: Config) -> None:
    """Run what is pending, and begin again with what did not get its locks.

    A migration gives up soon, and with it the place in the queue behind which all others had to wait.
    """
    for pause_seconds in _PAUSES_SECONDS:
        try:
            command.upgrade(config, "head")
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected):
                raise
            logger.warning("a migration met others at work, and is tried again in %g s", pause_seconds)
            time.sleep(pause_seconds)
        else:
            return
    command.upgrade(config, "head")


@cache
def head_revision() -> str:
    """Name the newest revision that this release knows."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {MIGRATIONS}")
    return head


@cache
def known_revisions() -> frozenset[str]:
    """Name every revision of this release and of those before it; any other is a later release's."""
    return frozenset(one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions())
