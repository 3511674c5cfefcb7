"""What the published document shows of an operation: a request, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer: `query` and `headers` beside the path's own examples, a JSON `body`, the `answer`.

    `called` says in the document what the request is.
    """

    operation: str
    status: int
    called: str
    answer: Json | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
