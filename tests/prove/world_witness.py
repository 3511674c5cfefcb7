"""Whoever writes to the service and to the contract in memory alike, and compares: what rules are made of."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from service.dates import parse_instant
from tests.client import Client
from tests.factories import fresh_slug
from tests.keys import ADMIN, ADMIN_PREFIX, bearer
from tests.prove.world_model import Change, Condition, Json, Key, World, shown

SERIAL = itertools.count(1)
# Given by the test that runs the machine: hypothesis makes its machines itself.
CLIENTS: list[Client] = []
ANSWERS: Counter[str] = Counter()

WHENS = (
    "2013-02-25",
    "2013-02",
    "2013-02-24/2013-02-28",
    "[2013-02-24..2013-03-02]",
    "{2013-02-21,2013-02-28}",
    "201X",
)
WINDOWS = ("2013-02-25", "2013-02", "../2013-02-25", "2013-02-26/..", "2013-02-27/2013-03-01", "2014")
STATUSES = ("tentative", "planned", "occurred", "cancelled")
TOPICS = ("war", "talks")
RELS = ("causes", "follows")
NOBODY = Key("anonymous", None, "read", [])
assert ADMIN_PREFIX is not None
OWNER = Key(ADMIN_PREFIX, ADMIN, "admin", None)
MEMBERS = {"actors": ("name", {"kind": "person"}), "places": ("name", {}), "sources": ("title", {})}


class Sent(NamedTuple):
    """A request that was done under a key of its own, and the answer that it had."""

    sender: Key
    path: str
    body: Json
    key: str
    answer: httpx.Response


class Request(NamedTuple):
    """A write: how it is sent, and how the model does it."""

    method: str
    path: str
    body: object
    headers: dict[str, str]
    do: Callable[[World], int]
    learn: Callable[[World, httpx.Response], None] = lambda _world, _answer: None


class Witness(RuleBasedStateMachine):
    """A service that was begun with, what the model has of it, and who asks."""

    @initialize()
    def begin(self) -> None:
        self.client, self.guest = CLIENTS
        self.world = World()
        self.word = fresh_slug("world")
        self.keys = [OWNER, NOBODY]
        self.sent: list[Sent] = []
        self.begun: dict[str, str] = {}
        self.cursors: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        for kind in MEMBERS:
            self.add_entry(kind, f"{self.word}-{kind}-{next(SERIAL)}")
            self.add_entry(kind, f"{self.word}-{kind}-{next(SERIAL)}")
        for visibility in ("public", "private"):
            self.add_story(visibility)
        for scope in ("read", "write"):
            self.add_key(scope, [next(iter(self.world.stories))])
        for slug in self.world.stories:
            for when in WHENS[:2]:
                self.add_event(slug, when)

    # what is asked, and what the model says of it

    def send(self, key: Key, method: str, path: str, body: object = None, **rest: Any) -> httpx.Response:  # noqa: ANN401  # httpx's
        headers = ({} if key.text is None else bearer(key.text)) | rest.pop("headers", {})
        answer = self.guest.send(method, f"/v1/{path}", json=body, headers=headers, **rest)
        assert answer.status_code < 500, answer.text
        return answer

    def write(self, data: st.DataObject, key: Key, story: str | None, request: Request) -> None:
        """Send a write, on trial first or under a key if it is drawn so, and hold the answer to the model's."""
        world = self.world.copy()
        refusal = world.refusal(key, story)
        expected = request.do(world) if refusal is None else refusal
        if data.draw(st.integers(0, 3), "on trial first") == 0 and request.method != "DELETE":
            trial = f"{request.path}{'&' if '?' in request.path else '?'}dry_run=true"
            answer = self.send(key, request.method, trial, request.body, headers=request.headers)
            assert answer.status_code == expected, (request, "dry run", answer.text)
        headers = dict(request.headers)
        if request.method == "POST" and data.draw(st.booleans(), "repeatable"):
            headers["Idempotency-Key"] = f"{self.word}-{next(SERIAL)}"
        answer = self.send(key, request.method, request.path, request.body, headers=headers)
        ANSWERS[f"{request.method} {answer.status_code}"] += 1
        assert answer.status_code == expected, (request, expected, answer.text)
        if expected < 300:
            request.learn(world, answer)
            self.world = world
            if "Idempotency-Key" in headers:
                assert isinstance(request.body, dict)
                self.sent.append(Sent(key, request.path, request.body, headers["Idempotency-Key"], answer))
        elif expected == 412 and "current" in answer.json():
            assert answer.headers["etag"] == f'"{self.version(request.path)}"'
        self.follow_all()

    def version(self, path: str) -> int | None:
        """Give the present version of what a path is of."""
        kind, slug, *inside = path.split("/")
        if not inside:
            return self.world.version_of(f"{kind}/{slug}")
        present = self.world.stories[slug].present().get(inside[1])
        return None if present is None else present.version

    def follow_all(self) -> None:
        for slug in self.world.stories:
            self.follow(slug)

    def follow(self, slug: str) -> None:
        """Read what the feed has since the last time, and compare; then take over what only the service knows."""
        story = self.world.stories[slug]
        news = story.log[self.seen[slug] :]
        if news:
            self.client.wait_for_feed()
        path = f"/v1/timelines/{slug}/changes"
        page = self.client.read(path, limit=200, after=self.cursors[slug])
        assert page["next"] is None
        assert len(page["items"]) == len(news), (page["items"], news)
        for item, change in zip(page["items"], news, strict=True):
            self.compare_change(slug, item, change)
        self.cursors[slug] = page["latest"]
        self.seen[slug] = len(story.log)
        for name in dict.fromkeys(change.event for change in news):
            self.compare_event(slug, name)

    def compare_change(self, slug: str, item: Json, change: Change) -> None:
        state = change.state
        told = (item["operation"], item["event"], item["version"], item["document"] is None)
        assert told == (change.operation, change.event, state.version, state.content is None)
        if state.start is None:
            state.start = parse_instant(item["recorded_at"])
        if state.content is not None:
            # a claim that was just made has an identity that the service gave it
            claims = [one["id"] for one in item["document"]["claims"]]
            state.content["claims"] = [
                (given or made, source) for (given, source), made in zip(state.content["claims"], claims, strict=True)
            ]
            assert shown(item["document"]) == state.content
            assert (item["document"]["timeline"], item["document"]["version"]) == (slug, state.version)

    def compare_event(self, slug: str, name: str) -> None:
        """Compare an event as it stands, and its history."""
        states = self.world.stories[slug].events[name]
        read = self.client.get(f"/v1/timelines/{slug}/events/{name}")
        if states[-1].content is None:
            assert read.status_code == 410
        else:
            assert (read.headers["etag"], shown(read.json())) == (f'"{states[-1].version}"', states[-1].content)
        items = self.client.walk(f"/v1/timelines/{slug}/events/{name}/history", limit=3)
        assert sorted(one["version"] for one in items) == list(range(1, len(states) + 1))
        assert items[0]["version"] == states[-1].version
        assert parse_instant(items[0]["known"]["from"]) == states[-1].start
        for item in items:
            state = states[item["version"] - 1]
            assert item["author"] == state.author
            assert (item["document"] and shown(item["document"])) == state.content

    # drawing

    def story_of(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(list(self.world.stories)), "timeline")

    def event_of(self, data: st.DataObject, slug: str) -> str:
        """Name an event, mostly one that is there, else one that was deleted, or one that never was."""
        story = self.world.stories[slug]
        return data.draw(
            st.sampled_from([*list(story.present()) * 3, *story.events, str(UUID(int=next(SERIAL)))]), "event"
        )

    def writer_of(self, data: st.DataObject) -> Key:
        return data.draw(st.sampled_from([OWNER] * 5 + self.keys), "key")

    def entry_of(self, data: st.DataObject, kind: str) -> str:
        """Name an entry of the directory, seldom one that is not there."""
        there = list(self.world.directory[kind])
        return data.draw(st.sampled_from(there * 5 + [f"{self.word}-nowhere"]), kind)

    def body_of(self, data: st.DataObject) -> Json:
        body: Json = {
            "title": f"{self.word} {next(SERIAL)}",
            "when": data.draw(st.sampled_from(WHENS), "when"),
            "status": data.draw(st.sampled_from(STATUSES), "status"),
            "kind": self.word,
        }
        if data.draw(st.booleans(), "has more"):
            body["topics"] = data.draw(st.lists(st.sampled_from(TOPICS), max_size=3), "topics")
            body["participants"] = [{"actor": self.entry_of(data, "actors")}]
            body["place"] = data.draw(st.sampled_from([None, {"place": self.entry_of(data, "places")}]), "place")
            body["claims"] = [{"source": self.entry_of(data, "sources")}]
        return body

    def patch_of(self, data: st.DataObject) -> Json:
        """Draw a merge patch; what it changes may be as it is already."""
        members = {
            "when": st.sampled_from(WHENS),
            "status": st.sampled_from(STATUSES),
            "summary": st.sampled_from([None, "A summary."]),
            "topics": st.lists(st.sampled_from(TOPICS), max_size=2),
            "place": st.none() | st.builds(lambda slug: {"place": slug}, st.just(self.entry_of(data, "places"))),
            "participants": st.just([{"actor": self.entry_of(data, "actors")}]),
        }
        names = data.draw(st.sets(st.sampled_from(sorted(members)), min_size=1, max_size=3), "members")
        return {name: data.draw(members[name], name) for name in sorted(names)}

    def headers_of(self, condition: Condition, path: str) -> dict[str, str]:
        return {
            Condition.NONE: {},
            Condition.RIGHT: {"If-Match": f'"{self.version(path) or 1}"'},
            Condition.STALE: {"If-Match": '"999", W/"1"'},
            Condition.ANY: {"If-Match": "*"},
            Condition.CREATE: {"If-None-Match": "*"},
        }[condition]

    # timelines, the directory, keys

    def add_story(self, visibility: str) -> None:
        slug = f"{self.word}-{next(SERIAL)}"
        body = {"slug": slug, "title": self.word, "visibility": visibility}
        assert self.send(OWNER, "POST", "timelines", body).status_code == 201
        assert self.world.create_entry(f"timelines/{slug}", self.word, visibility) == 201
        self.cursors[slug] = self.begun[slug] = self.client.read(f"/v1/timelines/{slug}/changes")["oldest"]
        self.seen[slug] = 0

    def add_key(self, scope: str, limited: list[str] | None) -> None:
        made = self.send(OWNER, "POST", "keys", {"name": self.word, "scopes": [scope], "timelines": limited})
        assert made.status_code == 201, made.text
        self.keys.append(Key(made.json()["prefix"], made.json()["key"], scope, limited))

    def add_event(self, slug: str, when: str) -> None:
        name = str(UUID(int=next(SERIAL)))
        body = {"title": self.word, "when": when, "status": "planned", "kind": self.word}
        assert self.send(OWNER, "PUT", f"timelines/{slug}/events/{name}", body).status_code == 201
        assert self.world.put_event(slug, OWNER.name, name, Condition.NONE, body) == 201
        self.follow(slug)

    def add_entry(self, kind: str, slug: str) -> None:
        called, rest = MEMBERS[kind]
        name = f"{slug} as called"
        assert self.send(OWNER, "POST", kind, {"slug": slug, called: name, **rest}).status_code == 201
        assert self.world.create_entry(f"{kind}/{slug}", name) == 201
