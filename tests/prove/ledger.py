"""What clients were told is written, and whether the store holds exactly that: nothing less, nothing more.

A write in doubt is repeated until it is answered, so in the end nothing is unknown: each state that the store keeps was
acknowledged once, and each that was acknowledged is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg


class Content(NamedTuple):
    """What is written of an event, as far as it is looked at: texts that no other write has."""

    summary: str
    quotes: tuple[str, ...] = ()

    @staticmethod
    def of(document: dict[str, Any]) -> Content:
        """Read it out of an event's document."""
        return Content(document["summary"], tuple(claim["quote"] for claim in document["claims"]))


class State(NamedTuple):
    """A state of an event; a deletion has no content."""

    event: str
    version: int
    content: Content | None

    def amended(self, summary: str) -> State:
        """Give the state that another summary makes of it."""
        return State(self.event, self.version + 1, self._present._replace(summary=summary))

    def claimed(self, quote: str) -> State:
        """Give the state that one more claim makes of it."""
        return State(self.event, self.version + 1, self._present._replace(quotes=(*self._present.quotes, quote)))

    def deleted(self) -> State:
        """Give the state that a deletion makes of it."""
        return State(self.event, self.version + 1, None)

    @property
    def _present(self) -> Content:
        assert self.content is not None, "a deleted event is not written"
        return self.content


class Acknowledged(NamedTuple):
    """A write that was answered as done: the states that it made, and the answer's body if it bore a key."""

    states: tuple[State, ...]
    body: bytes | None = None


@dataclass
class Kept:
    """What the store holds: every state of every event, each answer that is kept, how many writes were audited."""

    states: list[State] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    audited: int = 0


def read_kept(url: str) -> Kept:
    """Read it straight from the tables."""
    with psycopg.connect(url) as connection:
        states = connection.execute("SELECT event_id::text, version, document FROM event_state").fetchall()
        bodies = connection.execute("SELECT body FROM kept_answer").fetchall()
        audited = connection.execute("SELECT count(*) FROM audit_entry WHERE caller <> 'operator'").fetchall()
    return Kept(
        [State(event, version, None if one is None else Content.of(one)) for event, version, one in states],
        [row[0] for row in bodies],
        audited[0][0],
    )


def find_faults(acknowledged: Iterable[Acknowledged], kept: Kept) -> list[str]:
    """Say what was acknowledged and is not kept, what is kept and was never acknowledged, and what is there twice."""
    writes = list(acknowledged)
    told = Counter(state for one in writes for state in one.states)
    answers = Counter(one.body for one in writes if one.body is not None)
    found = [
        *_differences("state", told, Counter(kept.states)),
        *_differences("answer under a key", answers, Counter(kept.bodies)),
        *_duplicates(kept.states),
    ]
    if kept.audited != len(writes):
        found.append(f"{len(writes)} writes were acknowledged, and {kept.audited} audited")
    return found


def _differences(what: str, told: Counter[Any], kept: Counter[Any]) -> Iterator[str]:
    for one in (told - kept).elements():
        yield f"lost {what}: {one}"
    for one in (kept - told).elements():
        yield f"{what} that nobody was told of: {one}"


def _duplicates(states: Iterable[State]) -> Iterator[str]:
    """Name what several events say: a write that was done twice, each time as something new."""
    said: dict[str, set[str]] = {}
    for state in states:
        for text in () if state.content is None else (*state.content.quotes, state.content.summary):
            said.setdefault(text, set()).add(state.event)
    return (f"duplicate: {text!r} in {len(events)} events" for text, events in said.items() if len(events) > 1)
