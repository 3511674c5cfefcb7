"""Walks through all events while others write: which must be seen, in what order, and whether they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg

from service.store.query import timeline_id_of

Parameters = Mapping[str, str | int]
Key = tuple[str, int]  # an event, and which version of it

_PRESENT: LiteralString = """
    SELECT event_id::text, version, kind FROM event WHERE timeline_id = %s ORDER BY start_earliest, event_id"""
_THEN: LiteralString = """
    SELECT event_id::text, version, document->>'kind' FROM event_state
    WHERE timeline_id = %s AND known @> %s::timestamptz AND document IS NOT NULL ORDER BY start_earliest, event_id"""


@dataclass(frozen=True)
class Stock:
    """The events of a timeline by date before anybody writes, as they are and as they were known at some time.

    Each is an event, its version and its kind.
    """

    present: list[tuple[str, int, str]]
    then: list[tuple[str, int, str]]

    @staticmethod
    def read(url: str, timeline: str, known_at: str) -> Stock:
        """Read it straight from the tables."""
        key = timeline_id_of(timeline)
        with psycopg.connect(url) as connection:
            return Stock(
                connection.execute(_PRESENT, [key]).fetchall(), connection.execute(_THEN, [key, known_at]).fetchall()
            )

    def expected(self, asked: Parameters, touched: Iterable[str]) -> list[Key]:
        """Give what a walk must see in order, of what nobody touches; of the past, whatever is touched now."""
        is_past = "known_at" in asked
        changing = set() if is_past else set(touched)
        found = [
            (event, version)
            for event, version, kind in (self.then if is_past else self.present)
            if asked.get("kind") in (None, kind) and event not in changing
        ]
        return found[::-1] if asked.get("sort") == "-date" else found


@dataclass
class Walk:
    """What one walk asks for, what it must see, and what it has seen, in order."""

    name: str
    asked: Parameters
    expected: list[Key]
    seen: list[Key] = field(default_factory=list)

    def find_faults(self) -> list[str]:
        """Say what was missed, seen again, or seen out of order; of the past, also what was not there."""
        must = set(self.expected)
        there = [one for one in self.seen if one in must]
        times = Counter(there)
        found = [f"{self.name}: missed {one}" for one in self.expected if not times[one]]
        found += [f"{self.name}: saw {one} {count} times" for one, count in times.items() if count > 1]
        if "known_at" in self.asked:
            found += [f"{self.name}: saw {one}, which was not known" for one in self.seen if one not in must]
        if not found and there != self.expected:
            found.append(f"{self.name}: out of order")
        return found
