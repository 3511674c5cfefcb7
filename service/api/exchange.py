"""What the published document shows of an operation: a request, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from service.api.specimens import Json


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer: `query` and `headers` beside the path's own examples, a `body`, the `answer`.

    `called` says in the document what the request is. A body is JSON, or the text of another media type. `texts` holds
    the answer in its other media types. Of an excerpt, the answer's lists show some of their items only.
    """

    operation: str
    status: int
    called: str
    answer: Json | None = None
    _: KW_ONLY
    texts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json | list[Json] | str | None = None
    is_excerpt: bool = False

    @property
    def media_type(self) -> str:
        """Name what the body is sent as: JSON, where the headers say nothing else."""
        return self.headers.get("Content-Type", "application/json")
