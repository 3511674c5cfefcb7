"""An example of each error that an operation documents, as the operation would answer it."""

from __future__ import annotations

from typing import Any

from service.api import problems
from service.api.examples import EXCHANGES, REQUEST_ID
from service.api.key_examples import KEY_PREFIX, NO_KEY_PREFIX
from service.api.problems import KINDS, Kind
from service.api.specimens import ACTOR, EVENT, PLACE, SOURCE, TIMELINE, Json
from service.api.strict import JSON_PATCH, MERGE_PATCHES, as_one_of, unknown
from service.api.writing import KEY_HEADER
from service.wire.problem import Problem, ProblemError, RefusedOperation

_UNKNOWN = "datum"
_NOWHERE = "nowhere"
_DETAILS = {
    problems.MALFORMED_BODY: "the body is no JSON text: Expecting value at position 10",
    problems.UNAUTHENTICATED: "that is no key: it was cut off, or mistyped, or is of another service",
    problems.GONE: f"event {EVENT['id']} was deleted at 2026-11-24T12:00:00Z by {KEY_PREFIX}",
    problems.CURSOR_OUTLIVED: "the database was restored since this cursor was made. Start again: take `latest` of "
    f"/v1/timelines/{TIMELINE['slug']}/changes?after=latest, list the events, then follow from that cursor",
    problems.CONFLICT: "it exists already",
    problems.KEY_IN_FLIGHT: "a request with this Idempotency-Key is under way; repeat it in a moment, for its answer",
    problems.KEY_REUSED: "this Idempotency-Key was sent before, with another request; a new request needs a new key",
    problems.TOO_LARGE: "a body has at most 1048576 bytes",
    problems.QUERY_TOO_LONG: "a query string has at most 8192 bytes",
    problems.BUSY: "as many requests as are taken at once wait for their answers",
    problems.VERSION_REQUIRED: "name the version that you have seen, by If-Match",
    problems.RATE_LIMITED: "one request too many: `Retry-After` says in how many seconds to try again",
    problems.INTERNAL: problems.INTERNAL.explanation,
    problems.UNAVAILABLE: "the database cannot be reached",
    problems.TOO_SLOW: "the database gave up after its time limit; ask for less",
}
_IN_USE = {
    "delete_event": "it is in use: other events are linked to it",
    "delete_timeline": "it is in use: it still holds events",
    "delete_actor": "it is in use: it takes part in events",
    "delete_place": "it is in use: events take place there",
    "delete_source": "it is in use: claims rest on it",
    "delete_secret": "it is the newest secret, which signs: make another first",
}
# What each example of a creation would make, and is there already.
_TAKEN = {
    f"create_{what}": f"{what} '{one['slug']}' exists already: /v1/{what}s/{one['slug']}"
    for what, one in {"timeline": TIMELINE, "actor": ACTOR, "place": PLACE, "source": SOURCE}.items()
}
# What says of each line what is wrong with it.
_IMPORT = "create_import"
_OF_OPERATION = {
    problems.IN_USE: _IN_USE,
    problems.CONFLICT: _TAKEN,
    problems.TOO_LARGE: {_IMPORT: "a body has at most 1073741824 bytes"},
}
# What is wrong where in a body.
_POINTED = {
    problems.INVALID_BODY: (f"/{_UNKNOWN}", "is unknown here, or is not for clients to write"),
    problems.BATCH_REFUSED: ("/operations/0/operation", "is one of create, put, amend, delete"),
    problems.PATCH_CONFLICT: ("/0", "tests for another value than there is"),
}
# What a cursor is taken for, by the parameter that it is sent as.
_CURSORS = {
    "cursor": "the cursor is damaged, or was made for another query",
    "after": "the cursor is damaged, or is of another timeline's feed",
}
# What bears the version of the whole that it belongs to.
_PART_OF = {"claim": "event", "link": "event", "secret": "webhook", "replay": "webhook"}
_PRESENT = {one.operation: one.answer for one in EXCHANGES if one.operation.startswith("get_") and one.answer}


def refusals(operation: Json, path: str, status: int) -> dict[str, Json]:
    """Give an example for each kind of problem that an operation answers with this status, by the kind's name.

    `path` is the operation's, with the examples of its parameters filled in.
    """
    kinds = [kind for kind in KINDS.values() if kind.status == status and _can_come(kind, operation)]
    return {kind.name: _problem(kind, operation, path) for kind in kinds}


def _can_come(kind: Kind, operation: Json) -> bool:
    name = str(operation["operationId"])
    parameters = {one["name"] for one in operation.get("parameters", ())}
    tag = operation["tags"][0]
    limited: dict[Kind, bool] = {
        problems.INVALID_CURSOR: not parameters.isdisjoint(_CURSORS),
        problems.CURSOR_OUTLIVED: "after" in parameters,
        problems.GONE: "event" in parameters,
        problems.MALFORMED_BODY: "requestBody" in operation and name != _IMPORT,
        problems.MALFORMED_REQUEST: False,  # it reaches no operation
        problems.IN_USE: name in _IN_USE,
        problems.BATCH_REFUSED: name == "create_batch",
        problems.IMPORT_REFUSED: name == _IMPORT,
        problems.CONFLICT: name in _TAKEN or name == "put_event",
        problems.PATCH_CONFLICT: name == "amend_event",
        problems.KEY_IN_FLIGHT: KEY_HEADER in parameters,
        problems.KEY_REUSED: KEY_HEADER in parameters,
        problems.INVALID_BODY: ("requestBody" in operation and name != _IMPORT) or name == "put_link",
        problems.UNAVAILABLE: tag != "Dates",
        problems.TOO_SLOW: tag != "Dates" and name != "get_readiness",
        problems.BUSY: tag != "Health",
    }
    return limited.get(kind, True)


def _problem(kind: Kind, operation: Json, path: str) -> Json:
    name = operation["operationId"]
    found = _found(kind, operation)
    operations: list[RefusedOperation] = []
    current = None
    if kind is problems.NOT_FOUND:
        path, detail = _missing(operation, path)
    elif kind is problems.INVALID_CURSOR:
        detail = found[0].detail
    elif kind is problems.BATCH_REFUSED:
        detail = f"nothing was done: {problems.summary_of(found)}"
        operations = [RefusedOperation(index=0, problem=_plain(problems.INVALID_BODY, path, found))]
    elif kind is problems.IMPORT_REFUSED:
        detail = f"nothing was written: {problems.summary_of(found)}"
    elif kind is problems.NOT_ACCEPTABLE:
        detail = f"to be had are: {', '.join(operation['responses']['200']['content'])}"
    elif kind is problems.FORBIDDEN:
        detail = "the key has not the scope admin" if _is_of_keys(operation) else "the key may read, and not write"
    elif name in _OF_OPERATION.get(kind, {}):
        detail = _OF_OPERATION[kind][name]
    elif kind is problems.VERSION_CONFLICT:
        of = name.partition("_")[2]
        current = _PRESENT[f"get_{_PART_OF.get(of, of)}"]
        detail = f"the present version is {current.get('version', 1)}, not the one expected"
    else:
        detail = problems.summary_of(found) or _detail(kind, operation)
    if kind is problems.INVALID_BODY and "requestBody" not in operation:
        path = path.rpartition("/")[0] + f"/{EVENT['id']}"
    told = _plain(kind, path, found, detail).model_copy(update={"operations": operations or None, "current": current})
    answer: dict[str, Any] = told.model_dump(mode="json", exclude_none=True)
    # what is null there is shown so
    return answer if current is None else answer | {"current": current}


def _detail(kind: Kind, operation: Json) -> str:
    if kind is not problems.UNSUPPORTED:
        return _DETAILS[kind]
    content = operation["requestBody"]["content"]
    return as_one_of([one for one in (*MERGE_PATCHES, JSON_PATCH) if one in content] or [*content])


def _plain(kind: Kind, path: str, found: list[ProblemError], detail: str = "") -> Problem:
    return Problem(
        type=kind.path,
        title=kind.title,
        status=kind.status,
        detail=detail or problems.summary_of(found),
        instance=path,
        request_id=REQUEST_ID,
        errors=found or None,
    )


def _found(kind: Kind, operation: Json) -> list[ProblemError]:
    """Name the parts of the request that a problem of this kind is about."""
    if kind is problems.INVALID_PARAMETER:
        known = sorted(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
        return [ProblemError(parameter=_UNKNOWN, detail=unknown(known))]
    if kind is problems.INVALID_CURSOR:
        parameter = next(one["name"] for one in operation["parameters"] if one["name"] in _CURSORS)
        return [ProblemError(parameter=parameter, detail=_CURSORS[parameter])]
    if kind is problems.IMPORT_REFUSED:
        return [ProblemError(line=1, pointer=f"/{_UNKNOWN}", detail=_POINTED[problems.INVALID_BODY][1])]
    if kind is problems.INVALID_BODY and "requestBody" not in operation:
        return [ProblemError(parameter="other", detail="an event is not linked to itself")]
    one = _POINTED.get(kind)
    return [] if one is None else [ProblemError(pointer=one[0], detail=one[1])]


def _is_of_keys(operation: Json) -> bool:
    return "Keys" in operation["tags"]


def _missing(operation: Json, path: str) -> tuple[str, str]:
    """Give a path that leads nowhere, and what is said of it."""
    if _is_of_keys(operation):
        return path.replace(KEY_PREFIX, NO_KEY_PREFIX), f"no key {NO_KEY_PREFIX}, or none that opens anything"
    *_, first = (one for one in operation["parameters"] if one["in"] == "path" and one["name"] in ("timeline", "slug"))
    elsewhere = path.replace(f"/{first['example']}", f"/{_NOWHERE}", 1)
    if any(one["name"] == "event" for one in operation["parameters"]) and operation["operationId"] != "put_event":
        return elsewhere, f"no event {EVENT['id']} in timeline '{_NOWHERE}'"
    what = path.split("/")[2].removesuffix("s")
    return elsewhere, f"no {what} '{_NOWHERE}'"
