"""Any sequence of writes of all kinds, by whoever, against the service as the contract has it (world_model.py).

After each write the status is the model's, the feed holds what the model's log does and nothing else, and the history
of the event is dense; readers of each kind see, by every filter, what the model has for them. 300 runs of 60 steps in
`make prove`, fewer in `make test`.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.dates import Relation, Window, format_instant, parse_instant, parse_window
from tests.client import Client, connected
from tests.factories import fresh_slug
from tests.keys import ADMIN, ADMIN_PREFIX, bearer
from tests.prove import IS_LONG
from tests.prove.world_model import Change, Condition, Filters, Json, Key, World, shown

RUNS, STEPS = (300, 60) if IS_LONG else (12, 25)
_SERIAL = itertools.count(1)
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


class Operation(NamedTuple):
    """A write of a batch: how it is sent, how the model does it, and how the event is called until it has a name."""

    body: Json
    do: Callable[[World], int]
    name: str | None


CONDITIONS = st.sampled_from([*Condition, Condition.RIGHT, Condition.RIGHT, Condition.RIGHT])
FILTERS = st.builds(
    Filters,
    status=st.sets(st.sampled_from(STATUSES), max_size=2).map(tuple),
    topic=st.sets(st.sampled_from(TOPICS), max_size=1).map(tuple),
    window=st.none() | st.sampled_from(WINDOWS).map(lambda text: (text, parse_window(text))),
    relation=st.sampled_from(Relation),
    certainty=st.sampled_from(["possible", "certain"]),
    descending=st.booleans(),
)


class Everything(RuleBasedStateMachine):
    """Writers with all that they may do wrong, and readers of all kinds."""

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
            self.add_entry(kind, f"{self.word}-{kind}-{next(_SERIAL)}")
            self.add_entry(kind, f"{self.word}-{kind}-{next(_SERIAL)}")
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
            headers["Idempotency-Key"] = f"{self.word}-{next(_SERIAL)}"
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
            st.sampled_from([*list(story.present()) * 3, *story.events, str(UUID(int=next(_SERIAL)))]), "event"
        )

    def writer_of(self, data: st.DataObject) -> Key:
        return data.draw(st.sampled_from([OWNER] * 5 + self.keys), "key")

    def entry_of(self, data: st.DataObject, kind: str) -> str:
        """Name an entry of the directory, seldom one that is not there."""
        there = list(self.world.directory[kind])
        return data.draw(st.sampled_from(there * 5 + [f"{self.word}-nowhere"]), kind)

    def body_of(self, data: st.DataObject) -> Json:
        body: Json = {
            "title": f"{self.word} {next(_SERIAL)}",
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
        slug = f"{self.word}-{next(_SERIAL)}"
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
        name = str(UUID(int=next(_SERIAL)))
        body = {"title": self.word, "when": when, "status": "planned", "kind": self.word}
        assert self.send(OWNER, "PUT", f"timelines/{slug}/events/{name}", body).status_code == 201
        assert self.world.put_event(slug, OWNER.name, name, Condition.NONE, body) == 201
        self.follow(slug)

    def add_entry(self, kind: str, slug: str) -> None:
        called, rest = MEMBERS[kind]
        name = f"{slug} as called"
        assert self.send(OWNER, "POST", kind, {"slug": slug, called: name, **rest}).status_code == 201
        assert self.world.create_entry(f"{kind}/{slug}", name) == 201

    @rule(visibility=st.sampled_from(["public", "private"]))
    @precondition(lambda self: len(self.world.stories) < 4)
    def create_story(self, visibility: str) -> None:
        self.add_story(visibility)

    @rule(data=st.data(), condition=CONDITIONS, visibility=st.sampled_from(["public", "private"]))
    def amend_story(self, data: st.DataObject, condition: Condition, visibility: str) -> None:
        slug, key = self.story_of(data), self.writer_of(data)
        path, patch = f"timelines/{slug}", {"visibility": visibility}
        self.write(
            data,
            key,
            slug,
            Request(
                "PATCH",
                path,
                patch,
                self.headers_of(condition, path),
                lambda world: world.amend_entry(path, condition, patch),
            ),
        )

    @rule(data=st.data(), condition=CONDITIONS)
    @precondition(lambda self: len(self.world.stories) > 1)
    def delete_story(self, data: st.DataObject, condition: Condition) -> None:
        slug, key = self.story_of(data), self.writer_of(data)
        path = f"timelines/{slug}"
        self.write(
            data,
            key,
            slug,
            Request(
                "DELETE",
                path,
                None,
                self.headers_of(condition, path),
                lambda world: world.delete_entry(path, condition),
            ),
        )

    @rule(data=st.data(), kind=st.sampled_from(sorted(MEMBERS)), condition=CONDITIONS, delete=st.booleans())
    def change_directory(self, data: st.DataObject, kind: str, condition: Condition, delete: bool) -> None:  # noqa: FBT001  # drawn
        """Rename an entry, which rewrites no event, or remove it, unless an event names it."""
        key, slug = self.writer_of(data), self.entry_of(data, kind)
        path, patch = f"{kind}/{slug}", {MEMBERS[kind][0]: f"Renamed {next(_SERIAL)}"}
        headers = self.headers_of(condition, path)
        if delete:
            request = Request("DELETE", path, None, headers, lambda world: world.delete_entry(path, condition))
        else:
            request = Request("PATCH", path, patch, headers, lambda world: world.amend_entry(path, condition, patch))
        self.write(data, key, None, request)
        if not self.world.directory[kind]:
            self.add_entry(kind, f"{self.word}-{kind}-{next(_SERIAL)}")

    @rule(data=st.data(), scope=st.sampled_from(["read", "write"]))
    @precondition(lambda self: len(self.keys) < 7)
    def make_key(self, data: st.DataObject, scope: str) -> None:
        timelines = data.draw(st.none() | st.sets(st.sampled_from(list(self.world.stories)), min_size=1), "timelines")
        self.add_key(scope, None if timelines is None else sorted(timelines))

    @rule(data=st.data())
    @precondition(lambda self: len(self.keys) > 2)
    def revoke_key(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.keys[2:]), "key")
        assert self.send(OWNER, "DELETE", f"keys/{key.name}").status_code == 204
        self.keys.remove(key)
        assert self.send(key, "GET", "events").status_code == 401

    # events

    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        slug, key, body, name = self.story_of(data), self.writer_of(data), self.body_of(data), unnamed()
        self.write(
            data,
            key,
            slug,
            Request(
                *("POST", f"timelines/{slug}/events", body, {}),
                do=lambda world: world.create_event(slug, key.name, name, body),
                learn=lambda world, answer: world.name_event(slug, name, answer.json()["id"]),
            ),
        )

    @rule(data=st.data(), condition=CONDITIONS, create=st.booleans())
    def put(self, data: st.DataObject, condition: Condition, create: bool) -> None:  # noqa: FBT001  # drawn
        slug, key, body = self.story_of(data), self.writer_of(data), self.body_of(data)
        name = self.event_of(data, slug)
        path = f"timelines/{slug}/events/{name}"
        if create and self.version(path) is None:
            condition = Condition.CREATE
        request = Request(
            *("PUT", path, body, self.headers_of(condition, path)),
            do=lambda world: world.put_event(slug, key.name, name, condition, body),
        )
        self.write(data, key, slug, request)

    @rule(data=st.data(), condition=CONDITIONS, stepwise=st.booleans())
    def amend(self, data: st.DataObject, condition: Condition, stepwise: bool) -> None:  # noqa: FBT001  # drawn
        slug, key, patch = self.story_of(data), self.writer_of(data), self.patch_of(data)
        name = self.event_of(data, slug)
        path = f"timelines/{slug}/events/{name}"
        headers, body = self.headers_of(condition, path), patch
        # a JSON Patch puts an object in the place of another, which a merge patch merges into it
        if stepwise and not patch.get("place"):
            headers["Content-Type"] = "application/json-patch+json"
            body = [{"op": "add", "path": f"/{member}", "value": value} for member, value in patch.items()]  # type: ignore[assignment]  # JSON
        request = Request(
            *("PATCH", path, body, headers), do=lambda world: world.amend_event(slug, key.name, name, condition, patch)
        )
        self.write(data, key, slug, request)

    @rule(data=st.data(), condition=CONDITIONS)
    def delete(self, data: st.DataObject, condition: Condition) -> None:
        slug, key = self.story_of(data), self.writer_of(data)
        name = self.event_of(data, slug)
        path = f"timelines/{slug}/events/{name}"
        request = Request(
            *("DELETE", path, None, self.headers_of(condition, path)),
            do=lambda world: world.delete_event(slug, key.name, name, condition),
        )
        self.write(data, key, slug, request)

    @rule(data=st.data(), condition=CONDITIONS, take_back=st.booleans())
    def claim(self, data: st.DataObject, condition: Condition, take_back: bool) -> None:  # noqa: FBT001  # drawn
        slug, key, source = self.story_of(data), self.writer_of(data), self.entry_of(data, "sources")
        name = self.event_of(data, slug)
        path = f"timelines/{slug}/events/{name}"
        headers = self.headers_of(condition, path)
        present = self.world.stories[slug].present().get(name)
        if take_back:
            made = [one for one, _ in present.content["claims"]] if present and present.content else []
            claim = data.draw(st.sampled_from([*made, str(UUID(int=next(_SERIAL)))]), "claim")
            request = Request(
                *("DELETE", f"{path}/claims/{claim}", None, headers),
                do=lambda world: world.remove_claim(slug, key.name, name, condition, claim),
            )
        else:
            request = Request(
                *("POST", f"{path}/claims", {"source": source}, headers),
                do=lambda world: world.add_claim(slug, key.name, name, condition, source),
            )
        self.write(data, key, slug, request)

    @rule(data=st.data(), condition=CONDITIONS, rel=st.sampled_from(RELS), untie=st.booleans())
    def link(self, data: st.DataObject, condition: Condition, rel: str, untie: bool) -> None:  # noqa: FBT001  # drawn
        slug, key = self.story_of(data), self.writer_of(data)
        name, other = self.event_of(data, slug), self.event_of(data, slug)
        path = f"timelines/{slug}/events/{name}"
        present = self.world.stories[slug].present().get(name)
        link = (rel, other)
        if untie and present and present.content and present.content["links"]:
            link = data.draw(st.sampled_from(present.content["links"]), "link")
        method, done = ("DELETE", World.remove_link) if untie else ("PUT", World.put_link)
        request = Request(
            *(method, f"{path}/links/{link[0]}/{link[1]}", None, self.headers_of(condition, path)),
            do=lambda world: done(world, slug, key.name, name, condition, link),
        )
        self.write(data, key, slug, request)

    @rule(data=st.data(), atomic=st.booleans(), count=st.integers(1, 4))
    def batch(self, data: st.DataObject, atomic: bool, count: int) -> None:  # noqa: FBT001  # drawn
        slug, key = self.story_of(data), self.writer_of(data)
        meanwhile = self.world.copy()
        operations = [self.operation_of(data, meanwhile, slug, key.name) for _ in range(count)]
        statuses: list[int] = []

        def do(world: World) -> int:
            statuses[:] = [one.do(world) for one in operations]
            return 422 if atomic and max(statuses) >= 400 else 200

        def learn(world: World, answer: httpx.Response) -> None:
            items = answer.json()["items"]
            assert [item["status"] for item in items] == statuses
            for operation, item in zip(operations, items, strict=True):
                if operation.name is not None and item["event"] is not None:
                    world.name_event(slug, operation.name, item["event"])

        body = {"operations": [one.body for one in operations]}
        path = f"timelines/{slug}/events:batch?atomic={str(atomic).lower()}"
        self.write(data, key, slug, Request("POST", path, body, {}, do=do, learn=learn))

    def operation_of(self, data: st.DataObject, meanwhile: World, slug: str, author: str) -> Operation:
        """Draw an operation, do it meanwhile, so that those after it may name its version, and give how it is done."""
        kind = data.draw(st.sampled_from(["create", "put", "amend", "delete"]), "operation")
        name = unnamed() if kind == "create" else self.event_of(data, slug)
        condition = data.draw(st.sampled_from([Condition.RIGHT, Condition.RIGHT, Condition.NONE, Condition.STALE]))
        content = self.patch_of(data) if kind == "amend" else self.body_of(data)
        body: Json = {"operation": kind}
        if kind != "create":
            present = meanwhile.stories[slug].present().get(name)
            seen = {Condition.RIGHT: present.version if present else 1, Condition.STALE: 999}
            body |= {"event": name} | ({"if_match": seen[condition]} if condition in seen else {})
        if kind != "delete":
            body["patch" if kind == "amend" else "body"] = content
        do: Callable[[World], int] = {
            "create": lambda world: world.create_event(slug, author, name, content),
            "put": lambda world: world.put_event(slug, author, name, condition, content),
            "amend": lambda world: world.amend_event(slug, author, name, condition, content),
            "delete": lambda world: world.delete_event(slug, author, name, condition),
        }[kind]
        do(meanwhile)
        return Operation(body, do, name if kind == "create" else None)

    @rule(data=st.data(), spoilt=st.booleans())
    @precondition(lambda self: self.sent)
    def repeat(self, data: st.DataObject, spoilt: bool) -> None:  # noqa: FBT001  # drawn
        """Send again what was done: its answer comes again, and nothing is done; another request is refused its key."""
        sent = data.draw(st.sampled_from(self.sent), "sent before")
        content = sent.answer.request.content + b" " * spoilt
        headers = {"Idempotency-Key": sent.key, "Content-Type": "application/json"}
        answer = self.send(sent.sender, "POST", sent.path, content=content, headers=headers)
        ANSWERS[f"repeated {answer.status_code}"] += 1
        if sent.sender not in self.keys:
            assert answer.status_code == 401
        elif spoilt:
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
        else:
            assert (answer.status_code, answer.content) == (sent.answer.status_code, sent.answer.content), answer.text
            assert answer.headers["idempotency-replayed"] == "true"
        self.follow_all()

    # reading

    @invariant()
    def everything_is_listed(self) -> None:
        for slug, story in self.world.stories.items():
            listed = self.client.walk(f"/v1/timelines/{slug}/events", limit=200)
            assert [one["id"] for one in listed] == Filters().found([story])
            assert [one["version"] for one in listed] == [story.present()[one["id"]].version for one in listed]

    @invariant()
    def what_is_covered_is_seen(self) -> None:
        """By one key after another, in the list of timelines and in the events of all."""
        self.steps = getattr(self, "steps", -1) + 1
        key = self.keys[self.steps % len(self.keys)]
        seen = [slug for slug in self.world.stories if self.world.sees(key, slug)]
        assert [one["slug"] for one in self.walk(key, "timelines", {"name": self.word})] == sorted(seen)
        listed = self.walk(key, "events", {"kind": self.word, "limit": 200})
        assert [one["id"] for one in listed] == Filters(kind=self.word).found(
            [self.world.stories[slug] for slug in seen]
        )

    @rule(data=st.data())
    def look_around(self, data: st.DataObject) -> None:
        """See what a key opens, and nothing else."""
        key = data.draw(st.sampled_from(self.keys), "key")
        seen = [slug for slug in self.world.stories if self.world.sees(key, slug)]
        listed = self.walk(key, "timelines", {"name": self.word, "limit": 2})
        assert [one["slug"] for one in listed] == sorted(seen)
        for slug, story in self.world.stories.items():
            read = self.send(key, "GET", f"timelines/{slug}")
            if slug in seen:
                assert (read.headers["etag"], read.json()["visibility"]) == (f'"{story.version}"', story.visibility)
            else:
                for path in (
                    "",
                    "/events",
                    "/changes",
                    "/histogram?by=year",
                    *(f"/events/{name}" for name in story.events),
                ):
                    assert self.send(key, "GET", f"timelines/{slug}{path}").status_code == 404

    @rule(data=st.data(), filters=FILTERS, everywhere=st.booleans())
    def ask(self, data: st.DataObject, filters: Filters, everywhere: bool) -> None:  # noqa: FBT001  # drawn
        """Ask by some filters, of one timeline or of all that a key opens."""
        key = data.draw(st.sampled_from(self.keys), "key")
        if data.draw(st.booleans(), "of the directory"):
            filters = replace(filters, actor=(self.entry_of(data, "actors"),))
        if data.draw(st.booleans(), "of the directory"):
            filters = replace(filters, source=(self.entry_of(data, "sources"),))
        seen = [slug for slug in self.world.stories if self.world.sees(key, slug)]
        asked = seen if everywhere else [self.story_of(data)]
        starts = [one.start for slug in asked for states in self.world.stories[slug].events.values() for one in states]
        filters = replace(filters, known_at=data.draw(st.sampled_from([None, *starts]), "known at"))
        # other runs have events too, of other kinds
        filters = replace(filters, kind=self.word) if everywhere else filters
        params = parameters(filters)
        if not set(asked) <= set(seen):
            assert self.send(key, "GET", f"timelines/{asked[0]}/events", params=params).status_code == 404
            return
        path = "events" if everywhere else f"timelines/{asked[0]}/events"
        right = filters.found([self.world.stories[slug] for slug in asked])
        found = self.walk(key, path, params | {"limit": 2})
        assert [one["id"] for one in found] == right, params
        for one in found:
            known = self.world.stories[one["timeline"]].known(filters.known_at)[one["id"]]
            assert (one["version"], shown(one)) == (known.version, known.content)
        counted = self.send(key, "GET", path, params=params | {"limit": 1, "count": "exact"})
        assert counted.json()["count"] == len(right)
        if not everywhere:
            self.compare_histogram(key, asked[0], filters)

    def compare_histogram(self, key: Key, slug: str, filters: Filters) -> None:
        """Hold each bucket to the range queries whose window it is."""
        params = parameters(replace(filters, window=None, descending=False)) | {"by": "year"}
        buckets = self.send(key, "GET", f"timelines/{slug}/histogram", params=params).json()["items"]
        for one in buckets:
            window = Window(parse_instant(one["from"]), parse_instant(one["to"]))
            counts = [
                len(
                    replace(filters, window=("", window), relation=Relation.INTERSECTS, certainty=certainty).found(
                        [self.world.stories[slug]]
                    )
                )
                for certainty in ("certain", "possible")
            ]
            assert [one["certain"], one["possible"]] == counts, one
        assert bool(buckets) == bool(replace(filters, window=None).found([self.world.stories[slug]]))

    def walk(self, key: Key, path: str, params: Json) -> list[Json]:
        """Read all pages with a key."""
        items, cursor = [], None
        while True:
            page = self.send(key, "GET", path, params=params | ({} if cursor is None else {"cursor": cursor})).json()
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    def teardown(self) -> None:
        """Read each feed once more, from its beginning."""
        for slug, story in getattr(self, "world", World()).stories.items():
            items, after = [], self.begun[slug]
            while after:
                page = self.client.read(f"/v1/timelines/{slug}/changes", limit=7, after=after, documents=False)
                items += page["items"]
                after = page["next"]
            assert [(one["operation"], one["event"], one["version"]) for one in items] == [
                (one.operation, one.event, one.state.version) for one in story.log
            ]


def unnamed() -> str:
    """Name an event that the service is to name."""
    return f"unnamed-{next(_SERIAL)}"


def parameters(filters: Filters) -> dict[str, Any]:
    """Write filters as a query string's parameters."""
    params: dict[str, Any] = {
        name: list(values)
        for name in ("status", "topic", "actor", "place", "source")
        if (values := getattr(filters, name))
    }
    if filters.kind is not None:
        params["kind"] = filters.kind
    if filters.window is not None:
        params |= {"datetime": filters.window[0], "relation": filters.relation.value, "certainty": filters.certainty}
    if filters.known_at is not None:
        params["known_at"] = format_instant(filters.known_at)
    return params | ({"sort": "-date"} if filters.descending else {})


@pytest.fixture(scope="module")
def guest(module_database_url: str) -> Iterator[Client]:
    """Answer a client of another process's application, so to say, which sends no key by itself."""
    with connected(module_database_url, key=None) as client:
        yield client


def test_no_sequence_of_writes_diverges_from_the_contract(api: Client, guest: Client) -> None:
    CLIENTS[:] = [api, guest]
    ANSWERS.clear()
    machine = Everything.TestCase
    machine.settings = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not IS_LONG,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    machine().runTest()
    sys.stdout.write(", ".join(f"{name}: {times}" for name, times in sorted(ANSWERS.items())) + "\n")
