"""Requests made of the published document's operations, each answer held to the document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from tests.api.published import Operation, check_answer
from tests.client import Client

KEY = "a key that is long enough to be one"
MADE_HERE = ("recorded_at", "created_at")
# What is of one store and one moment alone: its cursors, its secrets, when they end, when a message is due.
_OWN = {*MADE_HERE, "cursor", "reached", "secret", "expires_at", "due_at"}


@dataclass
class Asked:
    """A request of an operation, with a key that may write; the path is the document's example."""

    operation: Operation
    path: str = ""
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Mapping[str, object] | None = None
    content: bytes | None = None
    key: str | None = KEY

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
    for examples in operation.bodies().values():
        asked.json = examples[0]
    return asked


def comparable(document: object) -> object:
    """Leave out what differs from store to store: its own clock, and the identities that it makes (version 7)."""
    if isinstance(document, list):
        return [comparable(one) for one in document]
    if not isinstance(document, dict):
        return document
    kept = {name: comparable(one) for name, one in document.items() if name not in _OWN}
    if "id" in kept and UUID(str(kept["id"])).version == 7:
        del kept["id"]
    return kept
