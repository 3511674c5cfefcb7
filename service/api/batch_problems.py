"""What is wrong with a batch, and with each of its operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response

from service.api.problems import (
    BATCH_REFUSED,
    INVALID_BODY,
    MOST_ERRORS,
    VERSION_CONFLICT,
    VERSION_REQUIRED,
    Location,
    answer_error,
    problem,
    summary_of,
    worded,
)
from service.errors import DatelineError, VersionConflict, VersionRequired
from service.wire.batch import OPERATIONS, Unreadable
from service.wire.merge import InvalidMerge
from service.wire.problem import Problem, ProblemError, pointer
from service.wording import suggestion


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operation that is refused: its place in the batch, why, and the member in which it is to be looked for."""

    index: int
    error: DatelineError | InvalidMerge | Unreadable
    part: str | None = None

    @property
    def place(self) -> Location:
        """Say where in the body what the error names begins."""
        return ["operations", self.index] if self.part is None else ["operations", self.index, self.part]


class BatchRefused(Exception):
    """Say which operations of a batch are refused, so that none is done."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("the batch is refused")
        self.refusals = refusals


def answer_refusal(request: Request, refusal: Refusal) -> Response:
    """Answer as the operation would have been answered alone, but for where in the body something is.

    What is there instead of the version expected is left out: a thousand such documents would be no answer.
    """
    if isinstance(refusal.error, VersionRequired):
        place: Location = ["operations", refusal.index, "if_match"]
        unseen = ProblemError(pointer=pointer(place), detail="name the version that you have seen")
        return problem(request, VERSION_REQUIRED, summary_of([unseen]), found=[unseen])
    if isinstance(refusal.error, VersionConflict):
        return problem(request, VERSION_CONFLICT, str(refusal.error))
    if isinstance(refusal.error, DatelineError):
        return answer_error(request, refusal.error, refusal.place)
    reasons = refusal.error.reasons.errors(include_url=False)[:MOST_ERRORS]
    if isinstance(refusal.error, Unreadable):
        found = [_unreadable(refusal.place, one) for one in reasons]
    else:
        found = [ProblemError(pointer=pointer([*refusal.place, *one["loc"]]), detail=worded(one)) for one in reasons]
    return problem(request, INVALID_BODY, summary_of(found), found=found)


def _unreadable(place: Location, error: Mapping[str, Any]) -> ProblemError:
    """Say where in an operation something is wrong; what it was taken for comes first there, and is no member."""
    if error["type"].startswith("union_tag"):
        named = ", ".join(OPERATIONS)
        hint = suggestion(error["ctx"].get("tag"), OPERATIONS)
        return ProblemError(pointer=pointer([*place, "operation"]), detail=f"is one of {named}{hint}")
    return ProblemError(pointer=pointer([*place, *error["loc"][1:]]), detail=worded(error))


def _on_batch_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BatchRefused)  # noqa: S101  # registered for these
    found: list[ProblemError] = []
    operations = []
    for refusal in error.refusals[:MOST_ERRORS]:
        body = bytes(answer_refusal(request, refusal).body)
        told = Problem.model_validate_json(body)
        here = pointer(["operations", refusal.index])
        found += told.errors or [ProblemError(pointer=here, detail=told.detail)]
        operations.append(b'{"index":%d,"problem":%b}' % (refusal.index, body))
    named = found[:MOST_ERRORS]
    shown = b"[%b]" % b",".join(operations)
    return problem(request, BATCH_REFUSED, f"nothing was done: {summary_of(named)}", found=named, operations=shown)


def register(app: FastAPI) -> None:
    """Have a batch that is refused answered as problem details."""
    app.add_exception_handler(BatchRefused, _on_batch_refused)
