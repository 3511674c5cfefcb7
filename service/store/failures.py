"""What the database reports, as the domain's errors.

A constraint is known by its name. On a distributed PostgreSQL the name stands in the message only, with
the shard's number behind it, so the message is searched where the diagnostics are silent.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout, TooManyRequests

from service.errors import AlreadyExists, DatelineError, InUse, Invalid, NotFound, TooLarge, TooSlow, Unavailable

logger = logging.getLogger("dateline.store")

# A reference to the directory that the directory lacks: the constraint, and where the request said it.
_UNKNOWN = {
    "event_place_fkey": ("no such place in the directory", "/place/place"),
    "event_participant_actor_fkey": ("no such actor in the directory", "/participants"),
    "claim_source_fkey": ("no such source in the directory", "/claims"),
}
_IN_USE = {
    "event_place_fkey": "events take place there",
    "event_participant_actor_fkey": "it takes part in events",
    "claim_source_fkey": "claims rest on it",
    "event_timeline_id_fkey": "it still holds events",
    "event_state_timeline_id_fkey": "it keeps the history of events",
    "state_facet_timeline_id_fkey": "it keeps the history of events",
    "change_timeline_id_fkey": "it keeps the history of events",
    "event_link_timeline_id_other_id_fkey": "other events are linked to it",
}
# What is said of a state, or of its class (PostgreSQL, Appendix A).
_IN_THE_WAY = "another write was in the way; try again"
_UNREACHABLE = "the database cannot be reached"
_SAID = {
    "": _UNREACHABLE,
    "08": _UNREACHABLE,
    "40": _IN_THE_WAY,
    "53": "the database is short of memory or connections",
    "53100": "the database's disk is full; reading may go on",
    "55": _IN_THE_WAY,
    "57": _UNREACHABLE,
    "58": "the database cannot read or write its disk",
}
# What is told by its kind, that of the pool of this process' own connections among it.
_UNAVAILABLE: dict[type[psycopg.Error], str] = {
    PoolTimeout: "no database connection is free",
    TooManyRequests: "too many requests wait for the database already",
    # by a pooler that was told, in the midst of a transaction, to keep no more what is prepared
    errors.InvalidSqlStatementName: _UNREACHABLE,
    errors.UndefinedTable: "the database lacks this release's schema",
    errors.ReadOnlySqlTransaction: "the database takes no writes now",
}
# Insufficient resources and errors of the system: whoever runs the database must hear what it says.
_NEEDS_OPERATOR = ("53", "58")
# Whatever language it speaks, and whatever stands around the name.
_SHARD = re.compile(r"\b(\w+_(?:fkey|pkey|key|excl|check))(?:_\d+)?\b")


def constraint_name(error: psycopg.Error) -> str:
    """Name the constraint that an error is about, or give an empty text."""
    if error.diag.constraint_name:
        return error.diag.constraint_name
    found = _SHARD.search(str(error))
    return found.group(1) if found else ""


def is_of_rows(error: Exception) -> bool:
    """Tell whether the database refuses what rows say; of those copied into a cluster, words alone tell it."""
    if isinstance(error, errors.InternalError_):
        return bool(constraint_name(error))
    return isinstance(error, psycopg.IntegrityError | psycopg.DataError)


def _integrity(error: psycopg.Error) -> DatelineError | None:
    """Tell what a row came upon: one that was copied into a cluster does so by way of a fault, told in words alone."""
    name = constraint_name(error)
    is_copied = isinstance(error, errors.InternalError_)
    refers = isinstance(error, errors.ForeignKeyViolation) or (is_copied and name.endswith("_fkey"))
    if isinstance(error, errors.UniqueViolation) or (is_copied and name.endswith("key") and not refers):
        return AlreadyExists("it exists already")
    if refers:
        if name in _UNKNOWN:
            message, pointer = _UNKNOWN[name]
            return Invalid(message, pointer=pointer)
        return NotFound("what this refers to is not there")
    return None


def _operational(error: psycopg.Error) -> DatelineError:
    """Tell what kept the database from doing what was asked of it."""
    state = error.sqlstate or ""
    if state[:2] in _NEEDS_OPERATOR:
        logger.error("the database reports %s: %s", state, str(error).partition("\n")[0])
    if state.startswith("54"):
        return TooLarge("that is more than the database takes in one piece, or works through at once")
    return Unavailable(_SAID.get(state) or _SAID.get(state[:2], "the database cannot answer now"))


@contextmanager
def removing() -> Iterator[None]:
    """Raise InUse where something refers to what is removed; the error's own words may be of any language."""
    try:
        yield
    except errors.ForeignKeyViolation as error:
        name = constraint_name(error)
        raise InUse(f"it is in use: {_IN_USE.get(name, 'something refers to it')}") from error


@contextmanager
def creating(what: str) -> Iterator[None]:
    """Raise AlreadyExists where the name of what is created is taken; `what` is that, with its name."""
    try:
        yield
    except errors.UniqueViolation as error:
        raise AlreadyExists(f"{what} exists already") from error


@contextmanager
def translated(*, spread: bool = False) -> Iterator[None]:
    """Raise the domain's errors for those of psycopg and its pool; what is our own fault stays as it is.

    Of rows that are `spread` over a cluster by copying, what keeps a server from taking them has lost its code.
    """
    try:
        yield
    except (psycopg.IntegrityError, errors.InternalError_) as error:
        meaning = _integrity(error)
        if meaning is None and spread and not is_of_rows(error):
            logger.exception("a server of the cluster reports: %s", str(error).partition("\n")[0])
            meaning = Unavailable("a server of the cluster cannot take what is written now")
        if meaning is None:
            raise
        raise meaning from error
    except errors.QueryCanceled as error:
        raise TooSlow("the database gave up after its time limit; ask for less") from error
    except tuple(_UNAVAILABLE) as error:
        raise Unavailable(_UNAVAILABLE[type(error)]) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise _operational(error) from error
    except psycopg.InternalError as error:
        # psycopg's own, on what it was not answered: a pooler takes its leave of an idle client with an error, too
        if error.sqlstate is not None:
            raise
        raise Unavailable(_UNREACHABLE) from error
