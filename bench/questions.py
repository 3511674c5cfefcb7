"""The questions that the indexes are measured by: every parameter of a range query, common values and rare ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from bench.events import ACTORS, COMMON_WORD, KINDS, PLACES, RARE_WORD, SOURCES, TIMELINE, TOPICS
from service.dates import Answer, Relation, parse_instant, parse_window
from service.store.query import EventQuery, Keyset, Sort, timeline_id_of

WINDOWS = {"a day": "2013-02-10", "a month": "2013-02", "ten years": "2005/2014", "a year of old": "0800"}
# The made-up values are drawn by rank: the first are the commonest.
COMMON = {
    "status": "occurred",
    "kind": KINDS[0],
    "place": PLACES[0].slug,
    "actor": ACTORS[0].slug,
    "topic": TOPICS[0],
    "source": SOURCES[0].slug,
}
RARE = {
    "status": "tentative",
    "kind": KINDS[-1],
    "place": PLACES[-1].slug,
    "actor": ACTORS[-1].slug,
    "topic": TOPICS[-1],
    "source": SOURCES[-1].slug,
}
ALL = EventQuery(TIMELINE)
MONTH = replace(ALL, window=parse_window(WINDOWS["a month"]))
DEEP = "2012-06-01T00:00:00Z"


class Question(NamedTuple):
    """A range query, what to call it, and where its page begins."""

    name: str
    query: EventQuery
    after: Keyset | None = None


def questions() -> Iterator[Question]:
    """Yield all questions."""
    yield from _windows()
    yield from _filters()
    yield from _texts()
    yield from _others()


def asks_for(query: EventQuery, **values: str | tuple[str, ...]) -> EventQuery:
    """Add filters to a query."""
    chosen = {name: (value,) if isinstance(value, str) else value for name, value in values.items()}
    return replace(query, facets=query.facets | chosen)


def _at(instant: str) -> Keyset:
    return Keyset(parse_instant(instant), UUID(int=0), timeline_id_of(TIMELINE))


def _windows() -> Iterator[Question]:
    orders: tuple[Sort, ...] = ("date", "-date")
    for sort in orders:
        yield Question(f"everything, {sort}", replace(ALL, sort=sort))
        yield Question(f"everything, {sort}, deep cursor", replace(ALL, sort=sort), _at(DEEP))
        for name, window in WINDOWS.items():
            yield Question(f"{name}, {sort}", replace(ALL, window=parse_window(window), sort=sort))
        yield Question(
            f"ten years, {sort}, deep cursor", replace(ALL, window=parse_window("2005/2014"), sort=sort), _at(DEEP)
        )
    for relation in Relation:
        for certainty in (Answer.CERTAIN, Answer.POSSIBLE):
            yield Question(f"{relation} a month, {certainty}", replace(MONTH, relation=relation, certainty=certainty))


def _filters() -> Iterator[Question]:
    for rarity, values in (("common", COMMON), ("rare", RARE)):
        for name, value in values.items():
            yield Question(f"{rarity} {name}", asks_for(ALL, **{name: value}))
            yield Question(f"{rarity} {name}, a month", asks_for(MONTH, **{name: value}))
            yield Question(f"{rarity} {name}, deep cursor", asks_for(ALL, **{name: value}), _at(DEEP))
    yield Question("five actors, a month", asks_for(MONTH, actor=tuple(one.slug for one in ACTORS[10:15])))
    yield Question(
        "five statuses, a month", asks_for(MONTH, status=("tentative", "planned", "postponed", "cancelled", "occurred"))
    )
    yield Question("rare status, common kind", asks_for(ALL, status=RARE["status"], kind=COMMON["kind"]))
    yield Question("common actor, common place", asks_for(ALL, actor=COMMON["actor"], place=COMMON["place"]))
    yield Question("rare actor, common place", asks_for(ALL, actor=RARE["actor"], place=COMMON["place"]))
    yield Question("rare actor, rare topic", asks_for(ALL, actor=RARE["actor"], topic=RARE["topic"]))
    yield Question(
        "common source, topic, actor, a month",
        asks_for(MONTH, source=COMMON["source"], topic=COMMON["topic"], actor=COMMON["actor"]),
    )


def _texts() -> Iterator[Question]:
    for name, word in (("common", COMMON_WORD), ("rare", RARE_WORD)):
        text = replace(ALL, text=word)
        yield Question(f"{name} word", text)
        yield Question(f"{name} word, a month", replace(text, window=MONTH.window))
        yield Question(f"{name} word, common actor", asks_for(text, actor=COMMON["actor"]))
        yield Question(f"{name} word, by relevance", replace(text, sort="relevance"))


def _others() -> Iterator[Question]:
    recorded = replace(ALL, sort="-recorded")
    yield Question("newest record", recorded)
    yield Question("newest record, deep cursor", recorded, _at("2018-01-01T00:00:00Z"))
    yield Question("newest record, a day", replace(recorded, window=parse_window(WINDOWS["a day"])))
    yield Question("newest record, a year of old", replace(recorded, window=parse_window("0800")))
    yield Question("newest record, rare actor", asks_for(recorded, actor=RARE["actor"]))
    yield Question("newest record, rare kind", asks_for(recorded, kind=RARE["kind"]))
    yield Question("newest record, common source", asks_for(recorded, source=COMMON["source"]))
    yield Question("overdue", replace(ALL, overdue=True))
    yield Question("overdue, -date", replace(ALL, overdue=True, sort="-date"))
    yield Question("overdue, a month", replace(MONTH, overdue=True))
    yield Question("overdue, rare actor", asks_for(replace(ALL, overdue=True), actor=RARE["actor"]))
    yield Question("not overdue", replace(ALL, overdue=False))
    yield Question("all timelines", replace(ALL, timeline=None))
    yield Question("all timelines, a month", replace(MONTH, timeline=None))
    yield Question("all timelines, deep cursor", replace(ALL, timeline=None), _at(DEEP))
    yield Question("all timelines, rare actor", asks_for(replace(ALL, timeline=None), actor=RARE["actor"]))
    yield Question("all timelines, newest record", replace(recorded, timeline=None))
    yield Question("all timelines, rare word", replace(ALL, timeline=None, text=RARE_WORD))
