"""The service as the contract has it, in memory: timelines, the directory, events with all their states, and the feed.

Every write is a method that answers with the status that the service must answer with, and changes the model where
that is a success. Reports come in the order of their times; what comes late is the business of
tests/prove/test_history_machine.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from service.dates import Relation, Window, parse, relate
from service.wire.merge import merged

Json = dict[str, Any]
# What a client writes of an event and what an answer shows of it alike, here compared.
PLAIN = ("title", "summary", "when", "status", "kind", "topics")
DEFAULTS: Json = {"summary": None, "kind": "event", "topics": [], "participants": [], "place": None, "claims": []}


class Condition(StrEnum):
    """What a writer says of the version that they have seen."""

    NONE = "none"
    RIGHT = "If-Match: the present one"
    STALE = "If-Match: another"
    ANY = "If-Match: *"
    CREATE = "If-None-Match: *"


@dataclass
class State:
    """A state of an event: what it is then, None for a tombstone; who wrote it; from when it is known."""

    version: int
    content: Json | None
    author: str
    start: int | None = None


class Change(NamedTuple):
    """An entry of the feed."""

    operation: str
    event: str
    state: State


@dataclass
class Story:
    """A timeline."""

    title: str
    visibility: str
    version: int = 1
    events: dict[str, list[State]] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)

    def present(self) -> dict[str, State]:
        """Give what stands now, by identity."""
        return {name: states[-1] for name, states in self.events.items() if states[-1].content is not None}

    def known(self, instant: int | None) -> dict[str, State]:
        """Give what was known at an instant, or is now, by identity."""
        found = {}
        for name, states in self.events.items():
            then = [one for one in states if instant is None or (one.start is not None and one.start <= instant)]
            if then and then[-1].content is not None:
                found[name] = then[-1]
        return found


@dataclass
class Key:
    """A key: its text, and what it opens; `timelines` None for all."""

    name: str
    text: str | None
    scope: str
    timelines: list[str] | None

    @property
    def writes(self) -> bool:
        return self.scope in ("write", "admin")

    def covers(self, slug: str) -> bool:
        return self.text is not None and (self.timelines is None or slug in self.timelines)


def shown(document: Json) -> Json:
    """Give the part of an event's document that the model knows of."""
    return {name: document[name] for name in PLAIN} | {
        "participants": [(one["actor"], one["name"]) for one in document["participants"]],
        "place": document["place"] and (document["place"]["place"], document["place"]["name"]),
        "claims": [(one["id"], one["source"]) for one in document["claims"]],
        "links": [(one["rel"], one["event"]) for one in document["links"]],
        "previously": [one["when"] for one in document["previously"]],
    }


class World:
    """All that there is, as those see it who may see everything."""

    def __init__(self) -> None:
        self.stories: dict[str, Story] = {}
        self.directory: dict[str, dict[str, str]] = {"actors": {}, "places": {}, "sources": {}}
        self.versions: dict[str, int] = {}

    def copy(self) -> World:
        """Give another one like it, to try something in."""
        return deepcopy(self)

    # who may do what

    def sees(self, key: Key, slug: str) -> bool:
        """Tell whether a timeline is there for whoever has this key."""
        return slug in self.stories and (self.stories[slug].visibility == "public" or key.covers(slug))

    def refusal(self, key: Key, slug: str | None) -> int | None:
        """Say how a write of a timeline, or for None of what all share, is refused; None where it is not."""
        if key.text is None:
            return 401
        if slug is not None and not self.sees(key, slug):
            return 404
        covered = key.timelines is None if slug is None else key.covers(slug)
        return None if key.writes and covered else 403

    # timelines and the directory

    def version_of(self, path: str) -> int | None:
        """Give the version of an entry of a list, by its path; None where there is none."""
        kind, _, slug = path.partition("/")
        if kind == "timelines":
            return self.stories[slug].version if slug in self.stories else None
        return self.versions.get(path)

    def _unmet(self, path: str, condition: Condition) -> int | None:
        if self.version_of(path) is None:
            return 404
        return {Condition.NONE: 428, Condition.CREATE: 428, Condition.STALE: 412}.get(condition)

    def create_entry(self, path: str, name: str, visibility: str = "public") -> int:
        kind, _, slug = path.partition("/")
        if self.version_of(path) is not None:
            return 409
        if kind == "timelines":
            self.stories[slug] = Story(name, visibility)
        else:
            self.directory[kind][slug] = name
            self.versions[path] = 1
        return 201

    def amend_entry(self, path: str, condition: Condition, patch: Json) -> int:
        if unmet := self._unmet(path, condition):
            return unmet
        kind, _, slug = path.partition("/")
        if kind == "timelines":
            story = self.stories[slug]
            story.title = patch.get("title", story.title)
            story.visibility = patch.get("visibility", story.visibility)
            story.version += 1
        else:
            self.directory[kind][slug] = patch["title" if kind == "sources" else "name"]
            self.versions[path] += 1
        return 200

    def delete_entry(self, path: str, condition: Condition) -> int:
        if unmet := self._unmet(path, condition):
            return unmet
        kind, _, slug = path.partition("/")
        if self._is_used(kind, slug):
            return 409
        if kind == "timelines":
            del self.stories[slug]
        else:
            del self.directory[kind][slug], self.versions[path]
        return 204

    def _is_used(self, kind: str, slug: str) -> bool:
        if kind == "timelines":
            return bool(self.stories[slug].events)
        return any(
            slug in slugs_of(state.content, kind)
            for story in self.stories.values()
            for state in story.present().values()
        )

    # events

    def create_event(self, slug: str, author: str, name: str, body: Json) -> int:
        return self._record(slug, author, name, DEFAULTS | body)

    def name_event(self, slug: str, unnamed: str, name: str) -> None:
        """Call an event by the identity that the service gave it."""
        story = self.stories[slug]
        story.events[name] = story.events.pop(unnamed)
        story.log = [one._replace(event=name) if one.event == unnamed else one for one in story.log]

    def put_event(self, slug: str, author: str, name: str, condition: Condition, body: Json) -> int:
        present = self._present(slug, name)
        if present is None and condition not in (Condition.NONE, Condition.CREATE):
            return 412
        if present is not None and condition is not Condition.ANY and condition is not Condition.RIGHT:
            return 428 if condition is Condition.NONE else 412
        return self._record(slug, author, name, DEFAULTS | body)

    def amend_event(self, slug: str, author: str, name: str, condition: Condition, patch: Json) -> int:
        """Merge a patch into an event; what changes nothing is not written."""
        if refused := self._refused(slug, name, condition, required=True):
            return refused
        content = self._content(slug, name)
        body = body_of(content)
        if "place" in patch and patch["place"] and body["place"] and patch["place"]["place"] != body["place"]["place"]:
            body["place"] = None  # the name as credited goes with the place
        result = merged(body, patch)
        assert isinstance(result, dict)
        return self._record(slug, author, name, DEFAULTS | result, unless_same=True)

    def delete_event(self, slug: str, author: str, name: str, condition: Condition) -> int:
        if refused := self._refused(slug, name, condition, required=True):
            return refused
        story = self.stories[slug]
        if any(other == name for state in story.present().values() for _, other in state.content["links"]):  # type: ignore[index]  # present
            return 409
        self._write(slug, name, None, author, "deleted")
        return 204

    def add_claim(self, slug: str, author: str, name: str, condition: Condition, source: str) -> int:
        if refused := self._refused(slug, name, condition, required=False):
            return refused
        if source not in self.directory["sources"]:
            return 422
        content = self._content(slug, name)
        self._write(slug, name, content | {"claims": [*content["claims"], (None, source)]}, author, "amended")
        return 201

    def remove_claim(self, slug: str, author: str, name: str, condition: Condition, claim: str) -> int:
        if refused := self._refused(slug, name, condition, required=False):
            return refused
        content = self._content(slug, name)
        kept = [one for one in content["claims"] if one[0] != claim]
        if len(kept) == len(content["claims"]):
            return 404
        self._write(slug, name, content | {"claims": kept}, author, "amended")
        return 204

    def put_link(self, slug: str, author: str, name: str, condition: Condition, link: tuple[str, str]) -> int:
        if link[1] == name:
            return 422
        if refused := self._refused(slug, name, condition, required=False):
            return refused
        content = self._content(slug, name)
        if link in content["links"]:
            return 200
        if self._present(slug, link[1]) is None:
            return 404
        self._relink(slug, name, author, sorted([*content["links"], link]))
        return 201

    def remove_link(self, slug: str, author: str, name: str, condition: Condition, link: tuple[str, str]) -> int:
        if refused := self._refused(slug, name, condition, required=False):
            return refused
        content = self._content(slug, name)
        if link not in content["links"]:
            return 404
        self._relink(slug, name, author, [one for one in content["links"] if one != link])
        return 204

    def _relink(self, slug: str, name: str, author: str, links: list[tuple[str, str]]) -> None:
        """A link is no report of the world's: it holds from when the present state began."""
        start = self.stories[slug].events[name][-1].start
        state = self._write(slug, name, self._content(slug, name) | {"links": links}, author, "amended")
        state.start = start

    def _present(self, slug: str, name: str) -> State | None:
        return self.stories[slug].present().get(name)

    def _content(self, slug: str, name: str) -> Json:
        present = self._present(slug, name)
        assert present is not None
        assert present.content is not None
        return present.content

    def _refused(self, slug: str, name: str, condition: Condition, *, required: bool) -> int | None:
        if self._present(slug, name) is None:
            return 410 if name in self.stories[slug].events else 404
        if condition in (Condition.NONE, Condition.CREATE):  # which only a PUT heeds
            return 428 if required else None
        return 412 if condition is Condition.STALE else None

    def _record(self, slug: str, author: str, name: str, body: Json, *, unless_same: bool = False) -> int:
        """Write what a client says of an event: it succeeds what is there, whose links stay."""
        present = self._present(slug, name)
        if any(one not in self.directory[kind] for kind in self.directory for one in slugs_of(body, kind)):
            return 422
        content = self._credited(body)
        former = None if present is None else present.content
        content["links"] = former["links"] if former else []
        content["previously"] = former["previously"] if former else []
        if former and parse(former["when"]) != parse(body["when"]):
            content["previously"] = [former["when"], *content["previously"]]
        if not unless_same or content != former:
            states = self.stories[slug].events.get(name)
            operation = "amended" if former else "revived" if states else "created"
            self._write(slug, name, content, author, operation)
        return 200 if former else 201

    def _credited(self, body: Json) -> Json:
        """Credit whoever is named without a name by the directory's."""
        names = self.directory
        place = body["place"]
        return {name: body[name] for name in PLAIN if name != "topics"} | {
            "topics": list(dict.fromkeys(body["topics"])),
            "participants": [
                (one["actor"], one.get("name") or names["actors"][one["actor"]]) for one in body["participants"]
            ],
            "place": place and (place["place"], place.get("name") or names["places"][place["place"]]),
            "claims": [(one.get("id"), one["source"]) for one in body["claims"]],
        }

    def _write(self, slug: str, name: str, content: Json | None, author: str, operation: str) -> State:
        story = self.stories[slug]
        states = story.events.setdefault(name, [])
        states.append(State(len(states) + 1, content, author))
        story.log.append(Change(operation, name, states[-1]))
        return states[-1]


def body_of(content: Json) -> Json:
    """Give back what a client would write to get this content."""
    place = content["place"]
    return {name: content[name] for name in PLAIN} | {
        "participants": [{"actor": actor, "name": name} for actor, name in content["participants"]],
        "place": place and {"place": place[0], "name": place[1]},
        "claims": [{"id": claim, "source": source} for claim, source in content["claims"]],
    }


def slugs_of(body: Json | None, kind: str) -> Iterator[str]:
    """Name the entries of the directory that an event refers to, as it is written or as it is kept."""
    if body is None:
        return
    part = {"actors": "participants", "places": "place", "sources": "claims"}[kind]
    member = {"actors": "actor", "places": "place", "sources": "source"}[kind]
    parts: Sequence[Any] = [body[part]] if kind == "places" and body[part] else body[part] or ()
    at = 1 if kind == "sources" else 0
    for one in parts:
        yield one[member] if isinstance(one, dict) else one[at]


@dataclass(frozen=True)
class Filters:
    """What a range query asks for; None and empty ask for nothing."""

    status: tuple[str, ...] = ()
    topic: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    kind: str | None = None
    window: tuple[str, Window] | None = None
    relation: Relation = Relation.INTERSECTS
    certainty: str = "possible"
    known_at: int | None = None
    descending: bool = False

    def lets_pass(self, content: Json) -> bool:
        """Tell whether an event is meant."""
        named = {
            "status": {content["status"]},
            "topic": set(content["topics"]),
            "actor": set(slugs_of(content, "actors")),
            "place": set(slugs_of(content, "places")),
            "source": set(slugs_of(content, "sources")),
        }
        if any(values and named[name].isdisjoint(values) for name in named if (values := getattr(self, name))):
            return False
        if self.kind not in (None, content["kind"]):
            return False
        if self.window is None:
            return True
        answer = relate(self.relation, parse(content["when"]), self.window[1])
        return answer == "certain" or (answer == self.certainty == "possible")

    def found(self, stories: Sequence[Story]) -> list[str]:
        """Name the events that are meant, in their order."""
        found = [
            (parse(state.content["when"]).bounds.start_earliest, UUID(name))
            for story in stories
            for name, state in story.known(self.known_at).items()
            if state.content is not None and self.lets_pass(state.content)
        ]
        return [str(name) for _, name in sorted(found, reverse=self.descending)]
