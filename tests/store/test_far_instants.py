"""The last years of the axis, counted from 1970, take more than 64 bits; PostgreSQL counts from 2000."""

from uuid import UUID

import pytest
from psycopg.postgres import types

from service.dates import AXIS_END, AXIS_START, DISTANT_FUTURE, DISTANT_PAST
from service.store.adapters import At, AtDumper, AtLoader
from service.store.cursor import read_cursor, write_cursor
from service.store.query import EventQuery, Keyset

INSTANTS = (DISTANT_PAST, AXIS_START, -1, 0, 1, AXIS_END, DISTANT_FUTURE)


@pytest.mark.parametrize("instant", INSTANTS)
def test_an_instant_passes_to_the_database_and_back(instant: int) -> None:
    sent = AtDumper(At).dump(At(instant))
    assert len(bytes(sent)) == 8
    assert AtLoader(types["timestamptz"].oid).load(sent) == instant


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_cursor_holds_any_instant(instant: int) -> None:
    query = EventQuery(timeline="far")
    keyset = Keyset(instant, UUID(int=1), UUID(int=2))
    assert read_cursor(b"key", query, write_cursor(b"key", query, keyset)) == keyset
