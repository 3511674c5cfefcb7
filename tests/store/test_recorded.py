"""What the database writes itself of a state is written as Python would write it."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection
from sqlalchemy import bindparam, func, select

from service.dates import format_instant
from service.dates.instants import AXIS_END, AXIS_START, day_start
from service.store.adapters import At, register
from service.store.recorded import instant_text
from service.store.rows import INSTANTS
from service.store.statement import compiled

YEARS = [-4712, -1000, -999, -44, -43, -1, 0, 1, 2, 999, 1000, 2013, 9999, 10_000, 99_999, 100_000, 294_276]
NEAR = st.tuples(st.sampled_from([day_start(year, 1, 1) for year in YEARS]), st.integers(-(10**6), 10**6)).map(sum)
EXACT = st.sampled_from([0, 1, 10, 100, 500_000, 10**6, 10**9]).flatmap(
    lambda step: st.integers(-99, 99).map(lambda n: n * step)
)
_given = func.unnest(bindparam("instants", type_=INSTANTS)).column_valued("given")
WRITTEN = compiled(select(instant_text(_given)))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(NEAR, EXACT, st.integers(AXIS_START, AXIS_END)), min_size=1, max_size=100))
def test_an_instant(database_url: str, instants: list[int]) -> None:
    instants = [max(AXIS_START, min(AXIS_END, one)) for one in instants]

    async def write() -> list[str]:
        async with await AsyncConnection.connect(database_url) as connection:
            register(connection)
            rows = await (await WRITTEN.run(connection, {"instants": list(map(At, instants))})).fetchall()
            return [row[0] for row in rows]

    assert asyncio.run(write()) == list(map(format_instant, instants))
