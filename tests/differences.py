"""Apply the differences of a history."""

from __future__ import annotations

import copy
from typing import Any

from service.wire.history import OF_EVERY_WRITE

Json = dict[str, Any]


def patched(document: Json, steps: list[Json]) -> Json:
    """Apply steps of a JSON Patch that name members of objects, as RFC 6902 says it: each to what the last one made."""
    document = copy.deepcopy(document)
    for step in steps:
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        target: Any = document
        for part in path:
            target = target[part]
        assert (last in target) == (step["op"] != "add")
        if step["op"] == "remove":
            del target[last]
        else:
            target[last] = copy.deepcopy(step["value"])
    return document


def lasting(document: Json) -> Json:
    """Leave out what every write sets anew: the document's own, not what is called so inside."""
    return {name: value for name, value in document.items() if name not in OF_EVERY_WRITE}
