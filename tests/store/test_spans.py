"""Spans go to the database in its own binary form, and are there what its own functions make of them."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import ARRAY, DateTime, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE

from service.dates import DISTANT_FUTURE, DISTANT_PAST
from service.store.adapters import At, Spans
from service.store.database import connected
from service.store.rows import _pieces
from service.store.statement import compiled

_DAY = 86_400_000_000
_GIVEN = bindparam("pieces", type_=TSTZMULTIRANGE)
_MADE = _pieces(lambda name, _: bindparam(name, type_=ARRAY(DateTime(timezone=True))))
_SAME = compiled(select(_GIVEN.is_not_distinct_from(_MADE), func.isempty(_GIVEN) == literal_column("false")))


@pytest.mark.parametrize(
    "spans",
    [
        ((0, _DAY),),
        ((0, _DAY), (7 * _DAY, 8 * _DAY)),
        ((7 * _DAY, 8 * _DAY), (0, _DAY), (_DAY, 2 * _DAY)),
        ((DISTANT_PAST, -3_000_000 * _DAY // 2), (0, DISTANT_FUTURE)),
        ((-800_000 * _DAY, 100_000_000 * _DAY),),
    ],
)
def test_spans_are_ranges(database_url: str, spans: tuple[tuple[int, int], ...]) -> None:
    async def compare() -> object:
        async with connected(database_url, statement_timeout_seconds=5) as database, database.read() as connection:
            values = {
                "pieces": Spans(spans),
                "piece_starts": [At(start) for start, _ in spans],
                "piece_ends": [At(end) for _, end in spans],
            }
            return await (await _SAME.run(connection, values)).fetchone()

    assert asyncio.run(compare()) == (True, True)
