"""How a client changes an event: by a merge patch (RFC 7396), or step by step by a JSON Patch (RFC 6902).

Both are applied to what clients write of an event, and both may say of the write itself why and when it was reported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeVar

from jsonpatch import JsonPatch, JsonPatchException, JsonPatchTestFailed
from jsonpointer import EndOfList, JsonPointer, JsonPointerException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.dates import parse_instant
from service.errors import PatchConflict
from service.wire.merge import InvalidMerge, amended
from service.wire.values import POINTER_PATTERN, having

ModelT = TypeVar("ModelT", bound=BaseModel)

MOST_STEPS = 200
# What steps copy may not outgrow a body, all taken together: a thing that is copied into itself doubles each time.
_MOST_CHARACTERS = 1024 * 1024

Pointer = Annotated[str, Field(max_length=1_000, pattern=POINTER_PATTERN)]


class Amendment(Protocol):
    """What a client changes of an event."""

    @property
    def reported_at(self) -> str | None:
        """Say when the world learned of the change, where that is said: to what it is applied depends on it."""

    def says(self, *names: str) -> bool:
        """Tell whether the change itself says what the member of this name is, or the member of a member."""

    def apply(self, model: type[ModelT], target: object) -> ModelT:
        """Change a JSON value and read the result; the value itself stays.

        Raises InvalidMerge where the result is no such thing, PatchConflict where a step cannot be taken.
        """


@dataclass(frozen=True, slots=True)
class MergePatch:
    """A JSON Merge Patch (RFC 7396)."""

    members: Mapping[str, Any]

    @property
    def reported_at(self) -> str | None:
        """Give the member of that name."""
        return self.members.get("reported_at")

    def says(self, *names: str) -> bool:
        """Tell whether the patch has the member."""
        part: object = self.members
        for name in names:
            if not isinstance(part, Mapping) or name not in part:
                return False
            part = part[name]
        return True

    def apply(self, model: type[ModelT], target: object) -> ModelT:
        """Merge it."""
        return amended(model, target, dict(self.members))


class PatchStep(BaseModel):
    """A step of a JSON Patch (RFC 6902). What a step does not know is ignored, as section 4 there demands."""

    # written as it came: a value that is null is one
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        serialize_by_alias=True,
        json_schema_extra={
            "if": having({"op": {"enum": ["move", "copy"]}}),
            "then": having({"from": {"not": {"type": "null"}}}),
            "else": {"if": having({"op": {"const": "remove"}}), "else": having({"value": {}})},
        },
    )

    op: Literal["add", "remove", "replace", "move", "copy", "test"] = Field(
        description="What to do.", examples=["replace"]
    )
    path: Pointer = Field(description="Where: a JSON Pointer (RFC 6901).", examples=["/status"])
    from_: Pointer | None = Field(None, alias="from", description="From where, to `move` or `copy`.")
    value: Any = Field(None, description="What to `add` or `replace` with, or to `test` for.", examples=["cancelled"])

    @model_validator(mode="after")
    def _is_whole(self) -> PatchStep:
        if self.op in ("move", "copy") and self.from_ is None:
            raise ValueError(f"{self.op} needs from")
        if self.op in ("add", "replace", "test") and "value" not in self.model_fields_set:
            raise ValueError(f"{self.op} needs value")
        return self

    @property
    def written(self) -> tuple[str, ...]:
        """Name where it changes something."""
        if self.op == "test":
            return ()
        return (self.path, self.from_ or "") if self.op == "move" else (self.path,)


@dataclass(frozen=True, slots=True)
class StepwisePatch:
    """A JSON Patch (RFC 6902): all steps in order, or none."""

    steps: Sequence[PatchStep]

    @property
    def reported_at(self) -> str | None:
        """Find the last step that adds or replaces the member of that name by an instant."""
        for step in reversed(self.steps):
            if step.op in ("add", "replace") and step.path == "/reported_at" and isinstance(step.value, str):
                with suppress(ValueError):
                    parse_instant(step.value)
                    return step.value
        return None

    def says(self, *names: str) -> bool:
        """Tell whether a step writes the member or what it is a part of."""
        around = {"".join(f"/{name}" for name in names[:length]) for length in range(len(names) + 1)}
        return any(path in around for step in self.steps for path in step.written)

    def apply(self, model: type[ModelT], target: object) -> ModelT:
        """Take the steps; one that does not fit what is there is a conflict with it (RFC 5789, section 2.2)."""
        # once for all steps: whatever each of them copied, two hundred would copy two hundred times
        target = deepcopy(target)
        copied = 0
        for i, step in enumerate(self.steps):
            try:
                if step.op == "copy":
                    copied += _size(target, step.from_ or "")
                    if copied > _MOST_CHARACTERS:
                        raise PatchConflict("copies more than a body may hold, with the steps before it", step=i)
                target = JsonPatch([step.model_dump(exclude_unset=True)]).apply(target, in_place=True)
            except JsonPatchTestFailed as error:
                raise PatchConflict("tests for another value than there is", step=i) from error
            except (JsonPatchException, JsonPointerException) as error:
                raise PatchConflict("does not fit what is there: there is no such member or item", step=i) from error
            except RecursionError as error:
                raise PatchConflict("makes what is nested too deeply", step=i) from error
        try:
            return model.model_validate(target)
        except ValidationError as error:
            raise InvalidMerge(error) from error


def _size(target: object, pointer: str) -> int:
    """Count the characters of what is to be copied, and of nothing around it. Raises JsonPointerException."""
    part = JsonPointer(pointer).resolve(target)
    # what would stand behind the last of a list is not there, which the step itself will say
    return 0 if isinstance(part, EndOfList) else len(json.dumps(part))
