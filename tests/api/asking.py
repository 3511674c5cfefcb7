"""Requests made of the published document's operations, each answer held to the document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from service.api.specimens import EVENT
from tests.api.published import Operation, check_answer, operation_of
from tests.client import Client
from tests.keys import ADMIN

# What is of one store and one moment alone: its clock, its cursors, its secrets and keys, when they end, when a message
# is due.
CLOCK = ("recorded_at", "created_at")
MADE_HERE = (*CLOCK, "cursor", "oldest", "reached", "secret", "expires_at", "due_at", "key", "prefix", "created_by")


@dataclass
class Asked:
    """A request of an operation, with a key that may write; the path is the document's example."""

    operation: Operation
    path: str = ""
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    key: str | None = ADMIN

    def give(self, body: Any, media_type: str = "application/json") -> None:  # noqa: ANN401  # any JSON
        """Give it a body: JSON, or a text of another media type."""
        if isinstance(body, str):
            self.content = body.encode()
            self.headers["Content-Type"] = media_type
        else:
            self.json = body

    def send(self, client: Client) -> httpx.Response:
        """Send it, and hold its answer to the document."""
        key = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        answer = client.send(
            self.operation.method.upper(),
            self.path or self.operation.filled(),
            headers=key | self.headers,
            params=self.params or None,
            json=self.json,
            content=self.content,
        )
        check_answer(self.operation, answer)
        return answer


def valid(operation: Operation) -> Asked:
    """Make a request that would be answered well but for what a test changes."""
    asked = Asked(operation)
    if 412 in operation.statuses:
        asked.headers["If-Match"] = "*"
    asked.params = {one["name"]: one["example"] for one in operation.parameters("query") if one["required"]}
    for media_type, examples in list(operation.bodies().items())[:1]:
        asked.give(examples[0], media_type)
    return asked


def done(client: Client, operation: Operation, **others: str) -> None:
    """Do what an operation's example does, but for what differs in its path."""
    answer = Asked(operation, operation.filled(**others), headers={"If-Match": "*"}).send(client)
    assert answer.status_code == 204, answer.text


def untie(client: Client) -> None:
    """Take away the link of another event that keeps the examples' event from being deleted."""
    held = "5933ea9e-9bbc-52f2-b55a-2197b577fe48"
    done(client, operation_of("delete_link"), event=held, rel="prevents", other=EVENT["id"])


def comparable(document: object) -> object:
    """Leave out what differs from store to store: its own clock and cursors, and the identities of its making."""
    if isinstance(document, list):
        return [comparable(one) for one in document]
    if not isinstance(document, dict):
        return document
    kept = {name: comparable(one) for name, one in document.items() if name not in MADE_HERE}
    if "oldest" in document:
        del kept["latest"]
    if str(kept.get("path")).removeprefix("/") in CLOCK:  # a step of a JSON Patch
        del kept["value"]
    if "id" in kept and UUID(str(kept["id"])).version == 7:
        del kept["id"]
    return kept
