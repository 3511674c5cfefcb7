"""What is asked to learn what `known_at` costs: the same questions of the present, and of what was known back then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import psycopg

from bench.events import TIMELINE
from bench.questions import COMMON, RARE
from service.dates import format_instant
from service.store.adapters import register
from service.store.cursor import write_cursor
from service.store.query import EventQuery, Keyset, timeline_id_of

_BASE = f"/v1/timelines/{TIMELINE}/events"
_SAMPLES = 20
# Half of all states had been reported by then.
_MOMENT = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY reported_at) FROM event_state TABLESAMPLE SYSTEM (5)"
_KEY = "SELECT key FROM signing_key WHERE purpose = 'cursor'"
_DRAW = """
SELECT start_earliest, event_id, timeline_id FROM event WHERE timeline_id = %s
 AND start_earliest BETWEEN '1990-01-01' AND '2020-01-01' ORDER BY md5(event_id::text) LIMIT %s
"""
_FILTERS = ("status", "kind", "actor", "topic")


class Comparison(NamedTuple):
    """A question, as paths of the present and of the past."""

    name: str
    present: list[str]
    past: list[str]


def make_comparisons(url: str) -> list[Comparison]:
    """Ask for windows of every width, and with filters, each some times."""
    with psycopg.connect(url, autocommit=True) as connection:
        register(connection)
        cursor = connection.cursor(binary=True)
        key: bytes = _one(cursor, _KEY)
        moment: int = _one(cursor, _MOMENT)
        ends = [Keyset(*row) for row in cursor.execute(_DRAW, [timeline_id_of(TIMELINE), _SAMPLES])]
    known_at = f"known_at={format_instant(moment)}"
    made = [
        Comparison(name, [f"{_BASE}?{one}" for one in asked], [f"{_BASE}?{one}&{known_at}" for one in asked])
        for name, asked in _questions()
    ]
    everything = EventQuery(TIMELINE)
    then = replace(everything, known_at=moment)
    made.append(
        Comparison(
            "anywhere, by cursor",
            [f"{_BASE}?cursor={write_cursor(key, everything, end)}" for end in ends],
            [f"{_BASE}?cursor={write_cursor(key, then, end)}&{known_at}" for end in ends],
        )
    )
    return made


def _one(cursor: psycopg.Cursor[Any], statement: str) -> Any:  # noqa: ANN401  # of the statement's type
    row = cursor.execute(statement.encode()).fetchone()
    assert row is not None  # noqa: S101  # an aggregate, and a row that the schema lays
    return row[0]


def _questions() -> Iterator[tuple[str, list[str]]]:
    years = range(1995, 1995 + _SAMPLES)
    windows = {
        "a day": [f"datetime={year}-03-{year - 1990:02}" for year in years],
        "a month": [f"datetime={year}-03" for year in years],
        "a decade": [f"datetime={year - 10}/{year - 1}" for year in years],
        "everything": [""] * _SAMPLES,
    }
    yield from windows.items()
    for more in ("sort=-date", "certainty=certain", "count=estimated"):
        yield f"a month, {more}", [f"{one}&{more}" for one in windows["a month"]]
    yield "a decade, count=estimated", [f"{one}&count=estimated" for one in windows["a decade"]]
    for rarity, values in (("common", COMMON), ("rare", RARE)):
        for name in _FILTERS:
            for width in ("a month", "everything"):
                yield f"{width}, {rarity} {name}", [f"{one}&{name}={values[name]}" for one in windows[width]]
