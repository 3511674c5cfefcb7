"""JSON Merge Patch (RFC 7396)."""

from __future__ import annotations


def merged(target: object, patch: object) -> object:
    """Apply a merge patch to a JSON value, and give the result; neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    result: dict[object, object] = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
