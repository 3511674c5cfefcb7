"""Any sequence of writes of all kinds, by whoever, against the service as the contract has it (world_model.py).

After each write the status is the model's, the feed holds what the model's log does and nothing else, and the history
of the event is dense; readers of each kind see, by every filter, what the model has for them. 300 runs of 60 steps in
`make prove`, fewer in `make test-live`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.client import Client, connected
from tests.prove import IS_LONG
from tests.prove.world_model import Condition, Json, World
from tests.prove.world_readers import Readers
from tests.prove.world_witness import ANSWERS, CLIENTS, MEMBERS, OWNER, RELS, SERIAL, Request

RUNS, STEPS = (300, 60) if IS_LONG else (8, 25)
CONDITIONS = st.sampled_from([*Condition, Condition.RIGHT, Condition.RIGHT, Condition.RIGHT])


class Operation(NamedTuple):
    """A write of a batch: how it is sent, how the model does it, and how the event is called until it has a name."""

    body: Json
    do: Callable[[World], int]
    name: str | None


class Everything(Readers):
    """Writers with all that they may do wrong, and readers of all kinds."""

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
        path, patch = f"{kind}/{slug}", {MEMBERS[kind][0]: f"Renamed {next(SERIAL)}"}
        headers = self.headers_of(condition, path)
        if delete:
            request = Request("DELETE", path, None, headers, lambda world: world.delete_entry(path, condition))
        else:
            request = Request("PATCH", path, patch, headers, lambda world: world.amend_entry(path, condition, patch))
        self.write(data, key, None, request)
        if not self.world.directory[kind]:
            self.add_entry(kind, f"{self.word}-{kind}-{next(SERIAL)}")

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
        present = self.world.stories[slug].present().get(name)
        if present and present.content and data.draw(st.booleans(), "nothing new"):
            patch = {member: present.content[member] for member in ("title", "when", "topics")}
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
            claim = data.draw(st.sampled_from([*made, str(UUID(int=next(SERIAL)))]), "claim")
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


def unnamed() -> str:
    """Name an event that the service is to name."""
    return f"unnamed-{next(SERIAL)}"


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
