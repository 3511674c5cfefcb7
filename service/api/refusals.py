"""An example of each error that an operation documents, as the operation would answer it."""

from __future__ import annotations

from typing import Any

from service.api import problems
from service.api.examples import EXCHANGES, REQUEST_ID
from service.api.key_examples import KEY_PREFIX, NO_KEY_PREFIX
from service.api.problems import KINDS, Kind
from service.api.specimens import ACTOR, EVENT, PLACE, SOURCE, TIMELINE, Json
from service.wire.problem import Problem, ProblemError

_UNKNOWN = "datum"
_MISSPELT = "titel"
_NOWHERE = "nowhere"
_DETAILS = {
    problems.MALFORMED_BODY: "the body is no JSON text: Expecting value at position 10",
    problems.UNAUTHENTICATED: "that is no key: it was cut off, or mistyped, or is of another service",
    problems.GONE: f"event {EVENT['id']} was deleted at 2026-11-24T12:00:00Z by {KEY_PREFIX}",
    problems.CURSOR_OUTLIVED: "the database was restored since this cursor was made. Start again: take `latest` of "
    f"/v1/timelines/{TIMELINE['slug']}/changes?after=latest, list the events, then follow from that cursor",
    problems.CONFLICT: "it exists already",
    problems.TOO_LARGE: problems.TOO_LARGE.explanation,
    problems.UNSUPPORTED: "send the body as application/json",
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
_OF_OPERATION = {problems.IN_USE: _IN_USE, problems.CONFLICT: _TAKEN}
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
    limited = {
        problems.INVALID_CURSOR: not parameters.isdisjoint(_CURSORS),
        problems.CURSOR_OUTLIVED: "after" in parameters,
        problems.GONE: "event" in parameters,
        problems.MALFORMED_BODY: "requestBody" in operation,
        problems.MALFORMED_REQUEST: False,  # it reaches no operation
        problems.IN_USE: name in _IN_USE,
        problems.CONFLICT: name not in _IN_USE,
        problems.TOO_SLOW: name != "get_readiness",
    }
    return limited.get(kind, True)


def _problem(kind: Kind, operation: Json, path: str) -> Json:
    name = operation["operationId"]
    found: list[ProblemError] = []
    current = None
    if kind is problems.NOT_FOUND:
        path, detail = _missing(operation, path)
    elif kind is problems.INVALID_PARAMETER:
        known = sorted(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
        found = [ProblemError(parameter=_UNKNOWN, detail=f"is unknown here; known are: {', '.join(known) or 'none'}")]
        detail = f"{_UNKNOWN}: {found[0].detail}"
    elif kind is problems.INVALID_BODY and "requestBody" in operation:
        found = [ProblemError(pointer=f"/{_MISSPELT}", detail="is unknown here, or is not for clients to write")]
        detail = f"/{_MISSPELT}: {found[0].detail}"
    elif kind is problems.INVALID_BODY:
        path = path.rpartition("/")[0] + f"/{EVENT['id']}"
        found = [ProblemError(parameter="other", detail="an event is not linked to itself")]
        detail = f"other: {found[0].detail}"
    elif kind is problems.INVALID_CURSOR:
        parameter = next(one["name"] for one in operation["parameters"] if one["name"] in _CURSORS)
        found = [ProblemError(parameter=parameter, detail=_CURSORS[parameter])]
        detail = _CURSORS[parameter]
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
        detail = _DETAILS[kind]
    answer: dict[str, Any] = Problem(
        type=kind.path,
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=path,
        request_id=REQUEST_ID,
        errors=found or None,
        current=current,
    ).model_dump(mode="json", exclude_none=True)
    # what is null there is shown so
    return answer if current is None else answer | {"current": current}


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
