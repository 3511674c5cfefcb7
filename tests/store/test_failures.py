"""What the database reports, as the domain's errors: each says what a client can do about it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from service.errors import AlreadyExists, DatelineError, Invalid, NotFound, TooLarge, TooSlow, Unavailable
from service.store.failures import constraint_name, is_of_rows, translated

RAISING = "DO $$ BEGIN RAISE EXCEPTION 'insides' USING ERRCODE = '{}'; END $$"


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("54000", TooLarge, "in one piece"),  # program limit exceeded
        ("54001", TooLarge, "in one piece"),  # statement too complex
        ("53200", Unavailable, "short of memory"),  # out of memory
        ("53100", Unavailable, "disk is full"),  # disk full
        ("53300", Unavailable, "connections"),  # too many connections
        ("40P01", Unavailable, "another write"),  # deadlock
        ("55P03", Unavailable, "another write"),  # a lock that is not to be had
        ("57P01", Unavailable, "cannot be reached"),  # it is shut down
        ("08006", Unavailable, "cannot be reached"),  # the connection broke
        ("25006", Unavailable, "takes no writes"),  # read-only
        ("26000", Unavailable, "cannot be reached"),  # what was prepared is not known any more
        ("58030", Unavailable, "read or write its disk"),  # input or output failed
        ("57014", TooSlow, "time limit"),  # cancelled
    ],
)
def test_a_report_of_the_database(database_url: str, code: str, error: type[DatelineError], said: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(error, match=said) as raised, translated():
        connection.execute(RAISING.format(code))
    assert type(raised.value) is error
    assert "insides" not in str(raised.value)


@pytest.mark.parametrize("code", ["53100", "53200", "58030"])
def test_what_needs_an_operator_is_logged_as_the_database_says_it(
    database_url: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(Unavailable), translated():
        connection.execute(RAISING.format(code))
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("ERROR", f"the database reports {code}: insides")
    ]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (
            'insert or update on table "event_7" violates foreign key constraint "event_place_fkey_102040"',
            "event_place_fkey",
        ),
        (
            'conflicting key value violates exclusion constraint "event_state_known_excl_102046"',
            "event_state_known_excl",
        ),
        ("la clé dupliquée rompt la contrainte unique « timeline_slug_key »", "timeline_slug_key"),
        ('duplicate key value violates unique constraint "api_key_pkey"', "api_key_pkey"),
        ('relation "event_102040" is not there', ""),
    ],
)
def test_a_shard_of_a_cluster_names_the_constraint_in_words_alone(said: str, name: str) -> None:
    assert constraint_name(psycopg.IntegrityError(said)) == name


@pytest.mark.parametrize(
    ("name", "error"),
    [("event_pkey_103818", AlreadyExists), ("claim_source_fkey_1", Invalid), ("event_timeline_id_fkey_1", NotFound)],
)
def test_a_row_that_was_copied_into_a_cluster_comes_upon_another(name: str, error: type[DatelineError]) -> None:
    with pytest.raises(error), translated():
        raise errors.InternalError_(f'some constraint "{name}" is violated')


def test_what_is_our_own_fault_stays_so() -> None:
    with pytest.raises(errors.InternalError_), translated():
        raise errors.InternalError_('cache lookup failed for relation "event_103818"')


def test_too_many_words_to_index_are_too_large(database_url: str) -> None:
    words = "SELECT to_tsvector('simple', string_agg(md5(number::text), ' ')) FROM generate_series(1, 50000) AS number"
    with psycopg.connect(database_url) as connection, pytest.raises(TooLarge), translated():
        connection.execute(words)


def test_a_pooler_that_takes_its_leave_cannot_be_reached() -> None:
    """As psycopg tells of the error that PgBouncer sends on an idle connection when it has lost its own."""
    with pytest.raises(Unavailable, match="cannot be reached"), translated():
        raise psycopg.InternalError("received 2 results from command 'BEGIN'")


def test_a_fault_of_the_database_stays_one(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.InternalError), translated():
        connection.execute(RAISING.format("XX000"))


def test_a_database_that_is_not_there_cannot_be_reached() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"), translated():
        psycopg.connect("host=/nowhere dbname=none")


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (errors.CheckViolation("of whatever language"), True),
        (errors.NumericValueOutOfRange("too great"), True),
        (errors.InternalError_('new row for relation "event_7" violates check constraint "event_shape_check"'), True),
        (errors.InternalError_("cache lookup failed"), False),
        (errors.LockNotAvailable("of whatever language"), False),
    ],
)
def test_what_is_refused_of_rows(error: psycopg.Error, *, is_so: bool) -> None:
    assert is_of_rows(error) is is_so
