"""JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

ModelT = TypeVar("ModelT", bound=BaseModel)


class InvalidMerge(Exception):
    """Say that what a merge patch makes of a thing is no such thing; `reasons` says why, member by member."""

    def __init__(self, reasons: ValidationError) -> None:
        super().__init__(str(reasons))
        self.reasons = reasons


def amended(model: type[ModelT], target: object, patch: object) -> ModelT:
    """Apply a merge patch, and read the result. Raises InvalidMerge where it is not what it must be."""
    try:
        return model.model_validate(merged(target, patch))
    except ValidationError as error:
        raise InvalidMerge(error) from error


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
