"""Bring a database's schema to this release's, and tell whether it is there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from service.store.epoch import enter_epoch_at

# Any number will do that no other user of the same database takes; held until the transaction ends, so
# that it works through a pooler, and that several containers may start at once.
ADVISORY_LOCK = 0x44_41_54_45
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


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
    """Run all pending migrations in one transaction, and see whether this is a restored dump.

    Several processes may call this at once.

    Raises sqlalchemy.exc.OperationalError where the database cannot be reached.
    """
    command.upgrade(configuration(url), "head")
    enter_epoch_at(url)


@cache
def head_revision() -> str:
    """Name the newest revision that this release knows."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {MIGRATIONS}")
    return head


@cache
def known_revisions() -> frozenset[str]:
    """Name every revision that this release can bring up to its own."""
    return frozenset(one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions())
