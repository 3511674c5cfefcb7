"""Expression to English words."""

from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from service.dates.expression import Expression
from service.dates.names import date_words, listed, moment_name, unknown_parts
from service.dates.spans import SEASONS
from service.dates.traits import precision_of
from service.dates.tree import (
    APPROXIMATE,
    UNCERTAIN,
    Date,
    DateSet,
    Edge,
    Interval,
    Member,
    Moment,
    Point,
    Range,
)

_FLAG_NAMES: Final = MappingProxyType(
    {
        UNCERTAIN: "uncertain",
        APPROXIMATE: "approximate",
        UNCERTAIN | APPROXIMATE: "uncertain and approximate",
    }
)


class _Phrase(NamedTuple):
    """A point in words: `possibly in`, (`June`, `2004`), `(day unknown)`."""

    lead: str
    words: tuple[str, ...]
    note: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.lead, *self.words, self.note)))


def describe(expression: Expression) -> str:
    """Say in English when an expression is: `on 25 February 2013`, `from September 2012, not ended`."""
    match expression.tree:
        case Interval(start, end):
            return _interval(start, end)
        case DateSet((Range(Date() | Moment() as first, Date() | Moment() as last),), every):
            return _single_range(first, last, every=every)
        case DateSet(members, every):
            return _list([_member(member, every=every) for member in members], "and" if every else "or")
        case Date() | Moment() as point:
            return str(_point(point))


def _point(point: Point) -> _Phrase:
    if isinstance(point, Moment):
        return _Phrase("at", (moment_name(point),))
    words = date_words(point)
    lead = "" if words[0].startswith("some day") else _preposition(point)
    if point.is_evenly_qualified:
        if point.flags & APPROXIMATE:
            lead = "around"
        if point.flags & UNCERTAIN:
            lead = f"possibly {lead}".rstrip()
    return _Phrase(lead, words, _note(point))


def _preposition(point: Point) -> str:
    if isinstance(point, Moment):
        return "at"
    return "in" if point.day in ("", "XX") else "on"


def _note(date: Date) -> str:
    """Say in brackets what is wholly unknown, and which parts alone are qualified."""
    notes = []
    if unknown := unknown_parts(date):
        notes.append(f"{listed(unknown, 'and')} unknown")
    if not date.is_evenly_qualified:
        names = ("year", "season" if date.month in SEASONS else "month", "day")
        for flags, qualified in _FLAG_NAMES.items():
            parts = [name for name, own in zip(names, date.qualifiers, strict=False) if own == flags]
            if parts:
                notes.append(f"{listed(parts, 'and')} {qualified}")
    return f"({', '.join(notes)})" if notes else ""


def _noun(point: Point) -> str:
    """Name a point without `on` or `in`, as after `from`."""
    phrase = _point(point)
    lead = ""
    if isinstance(point, Date) and point.is_evenly_qualified:
        possibly = "possibly" if point.flags & UNCERTAIN else ""
        lead = f"{possibly} {'about' if point.flags & APPROXIMATE else ''}".strip()
    return str(phrase._replace(lead=lead))


def _before(phrase: _Phrase, following: _Phrase) -> tuple[str, ...]:
    """Leave out the last words of a phrase that it shares with the following one: 24 … 28 February 2013."""
    words = phrase.words
    if phrase.lead != following.lead or phrase.note or following.note or len(words) != len(following.words):
        return words
    shared = 0
    while shared < len(words) - 1 and words[-1 - shared] == following.words[-1 - shared]:
        shared += 1
    return words[: len(words) - shared]


def _shortened(first: Point, last: Point) -> tuple[str, str]:
    """Name two points, the first without what it shares with the last."""
    before, after = _point(first), _point(last)
    words = _before(before, after)
    if before.lead == _preposition(first) and len(words) < len(before.words):
        return " ".join(words), " ".join(after.words)
    return _noun(first), _noun(last)


def _interval(start: Point | Edge, end: Point | Edge) -> str:
    if not isinstance(start, Edge):
        if not isinstance(end, Edge):
            return "from {} to {}".format(*_shortened(start, end))
        return f"from {_noun(start)}, {'not ended' if end is Edge.OPEN else 'end unknown'}"
    beginning = "without beginning" if start is Edge.OPEN else "start unknown"
    return beginning if isinstance(end, Edge) else f"until {_noun(end)}, {beginning}"


def _single_range(first: Point, last: Point, *, every: bool) -> str:
    if every:
        begin, end = _shortened(first, last)
        return f"{_preposition(first)} every {_unit(first)} from {begin} to {end}"
    phrase = _closed_range(first, last)
    return str(phrase._replace(lead=f"{phrase.lead} one of"))


def _closed_range(first: Point, last: Point) -> _Phrase:
    """Join two points by a dash: `24–28 February 2013`, `24 February – 3 March 2013`."""
    begin, end = _shortened(first, last)
    words = _point(last).words
    if " " not in begin + words[0] and end == " ".join(words):
        return _Phrase(_preposition(first), (f"{begin}–{words[0]}", *words[1:]))
    return _Phrase(_preposition(first), (f"{begin} – {end}",))


def _member(member: Member, *, every: bool) -> _Phrase:
    if not isinstance(member, Range):
        return _point(member)
    first, last = member.first, member.last
    if first and last:
        return _closed_range(first, last)
    point, beyond = (first, "after") if first else (last, "before")
    if point is None:
        raise ValueError("a range has a date at one end at least")
    phrase = _point(point)
    if every:
        return phrase._replace(note=f"{phrase.note} and every {_unit(point)} {beyond}".strip())
    return phrase._replace(lead=f"{phrase.lead or _preposition(point)} or {beyond}")


def _unit(point: Point) -> str:
    return precision_of(point).value


def _list(phrases: list[_Phrase], conjunction: str) -> str:
    """List phrases: a preposition only where it changes, a month or year that all share only once."""
    begun = [_before(phrase, following) for phrase, following in pairwise(phrases)]
    if any(len(words) == len(phrase.words) for words, phrase in zip(begun, phrases, strict=False)):
        begun = [phrase.words for phrase in phrases[:-1]]
    texts, lead = [], ""
    for phrase, words in zip(phrases, [*begun, phrases[-1].words], strict=True):
        texts.append(str(_Phrase("" if phrase.lead == lead else phrase.lead, words, phrase.note)))
        lead = phrase.lead
    return listed(texts, conjunction)
