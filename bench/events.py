"""Made-up events that look like real ones: dates of every form, skewed facets, prose of usual length.

The same seed gives the same events, whoever makes which chunk of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random
from uuid import UUID

from bench.chance import Lottery, made_up_words, skewed
from bench.whens import made_up_when
from service.dates import format_instant, parse
from service.wire.directory import ActorBody, PlaceEntryBody, SourceBody
from service.wire.document import Draft, Succession, Surroundings, compose
from service.wire.event import Event, EventBody

SEED = 20130220
CHUNK_EVENTS = 5_000
TIMELINE, SMALL_TIMELINE = "bench", "bench-small"

# A word of nearly half of the events, and one of some ten in a million.
COMMON_WORD, RARE_WORD = "government", "zanzibarite"
_RARE_WORD_SHARE = 1e-5

_RECORDED_FROM = 1_420_070_400_000_000  # 2015-01-01, in microseconds since 1970
_RECORDED_EVERY = 300_000_000  # five minutes
_NOW = 1_795_478_400_000_000  # 2026-11-24: what ends later is planned more often

_NEWS = (
    "government president minister talks war peace troops city border army rebels police court election vote "
    "party leader council attack ceasefire agreement meeting visit call statement report protest march strike "
    "summit conference sanctions aid refugees hospital bridge airport station village province capital embassy "
    "ambassador delegation treaty resolution veto budget parliament bill reform opposition coalition alliance "
    "general commander spokesman official witness source journalist arrest trial verdict sentence appeal release "
    "prisoner hostage exchange convoy shelling bombing explosion fire flood earthquake storm drought harvest "
    "market prices currency bank loan debt trade exports company factory workers union school university students "
    "teachers museum exhibition concert festival match victory defeat record expedition discovery experiment "
    "launch satellite vaccine epidemic "
)
_WORDS = _NEWS.split() + made_up_words(20_000, SEED)
_PROSE = skewed(_WORDS, 0.85)
_LINKING = "the of in on after before by for with against near during from at over under about between"
_LINKS = _LINKING.split()

ACTORS = [
    ActorBody(slug=f"actor-{name}", name=f"{name.title()} {family.title()}", kind="person", aliases=[], same_as=[])
    for name, family in zip(made_up_words(2_000, 1), made_up_words(2_000, 2), strict=True)
]
PLACES = [
    PlaceEntryBody(
        slug=f"place-{name}", name=name.title(), country=None,
        latitude=-80 + number * 0.8, longitude=-170 + number * 1.7, same_as=[],
    )
    for number, name in enumerate(made_up_words(200, 3))
]  # fmt: skip
SOURCES = [
    SourceBody(
        slug=f"source-{name}", title=f"The {name.title()} Gazette", publisher=name.title(), author=None,
        url=f"https://{name}.example/", published=None, language="en",
    )
    for name in made_up_words(500, 4)
]  # fmt: skip
KINDS = [f"kind-{name}" for name in made_up_words(40, 5)]
TOPICS = [f"topic-{name}" for name in made_up_words(300, 6)]

_ACTORS = skewed([one.slug for one in ACTORS], 0.8)
_PLACES = skewed([one.slug for one in PLACES])
_SOURCES = skewed([one.slug for one in SOURCES])
_KINDS = skewed(KINDS)
_TOPICS = skewed(TOPICS, 0.8)
_PAST = Lottery(("occurred", "cancelled", "postponed", "planned", "tentative"), (88, 5, 3, 2.5, 1.5))
_FUTURE = Lottery(("occurred", "cancelled", "postponed", "planned", "tentative"), (0, 4, 4, 70, 22))
_ROLES = (None, "host", "speaker", "mediator", "commander", "witness")
_NAMES = (
    {one.slug: one.name for one in ACTORS},
    {one.slug: one.name for one in PLACES},
    {one.slug: one.title for one in SOURCES},
)
_FIRST = Succession(former=None, version=1, created_at=None)


def made_up_events(timeline: str, chunk: int, count: int) -> Iterator[Event]:
    """Make up the first `count` events of a chunk, as the service would finish them."""
    chance = Random(f"{SEED} {timeline} {chunk}")  # noqa: S311  # repeatable, not secret
    for number in range(count):
        recorded_at = _RECORDED_FROM + (chunk * CHUNK_EVENTS + number) * _RECORDED_EVERY
        around = Surroundings(recorded_at, *_NAMES, partial(_identity, chance, recorded_at))
        yield compose(Draft(timeline, _identity(chance, recorded_at), _body(chance)), _FIRST, around)


def draw_topic(chance: Random) -> str:
    """Draw a topic, the first ones oftenest."""
    return _TOPICS.draw(chance)


def draw_kind(chance: Random) -> str:
    """Draw a kind, the first ones oftenest."""
    return _KINDS.draw(chance)


def _identity(chance: Random, at: int) -> UUID:
    """Make a UUID of version 7 (RFC 9562) for this time, in microseconds since 1970."""
    return UUID(int=(at // 1000) << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62))


def _body(chance: Random) -> EventBody:
    when = made_up_when(chance)
    is_past = parse(when).bounds.end_latest <= _NOW or chance.random() < 0.5
    body = {
        "title": _prose(chance, 4, 9).capitalize(),
        "summary": _prose(chance, 8, 18).capitalize() + "." if chance.random() < 0.7 else None,
        "when": when,
        "status": (_PAST if is_past else _FUTURE).draw(chance),
        "kind": _KINDS.draw(chance),
        "participants": [{"actor": _ACTORS.draw(chance), "role": chance.choice(_ROLES)} for _ in range(2)],
        "place": {"place": _PLACES.draw(chance)} if chance.random() < 0.8 else None,
        "topics": [_TOPICS.draw(chance), _TOPICS.draw(chance)],
        "claims": [_claim(chance)],
    }
    if body["status"] in ("cancelled", "postponed"):
        body["status_reason"] = _prose(chance, 5, 10)
    return EventBody.model_validate(body)


def _claim(chance: Random) -> dict[str, object]:
    return {
        "source": _SOURCES.draw(chance),
        "quote": _prose(chance, 6, 14) if chance.random() < 0.3 else None,
        "reported_at": format_instant(_RECORDED_FROM - chance.randrange(1_000_000_000) * 100_000),
    }


def _prose(chance: Random, fewest: int, most: int) -> str:
    length = chance.randint(fewest, most)
    words = [_PROSE.draw(chance) if chance.random() < 0.65 else chance.choice(_LINKS) for _ in range(length)]
    if chance.random() < _RARE_WORD_SHARE / 2:
        words.append(RARE_WORD)
    return " ".join(words)
