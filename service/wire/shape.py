"""The shapes that documents of events have had, and how one of an older shape becomes one of the present.

A document is finished when it is written, so a release that gives it another shape finds documents of older ones. It
adds a step to `UPGRADES`, and no more. What reads a document's members does so through `upgraded`; what only passes
bytes on passes them as they are, until `dateline documents rerender` has brought them all to the present shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

FIRST_SHAPE = 1

# Makes a document of the shape that follows, by members that come: the release before, which serves beside this one,
# goes on reading those that it knows. Gives one that has that shape already back as it is, and looks at nothing but the
# document.
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

# From the first shape to the second, from the second to the third, and so on.
UPGRADES: tuple[Upgrade, ...] = ()


def document_shape() -> int:
    """Give the number of the present shape."""
    return FIRST_SHAPE + len(UPGRADES)


def upgraded(document: bytes) -> bytes:
    """Bring a document (UTF-8 JSON) of whichever shape to the present one; its bytes stay where it has that already."""
    if not UPGRADES:
        return document
    before = after = json.loads(document)
    for upgrade in UPGRADES:
        after = upgrade(dict(after))
    return document if after == before else json.dumps(after, ensure_ascii=False, separators=(",", ":")).encode()
