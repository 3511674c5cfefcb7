"""Every error as problem details (RFC 9457): the one table from the domain's errors to HTTP, and the handlers."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote_plus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from service import errors
from service.api.etag import etag
from service.wire.key_text import PREFIX_PATTERN
from service.wire.merge import InvalidMerge
from service.wire.problem import Problem, ProblemError, pointer
from service.wire.values import FORMS
from service.wording import in_words

logger = logging.getLogger("dateline.problems")

MEDIA_TYPE = "application/problem+json"
# Where, in a request's state, headers stand that its answer bears whatever is wrong with it.
ANSWER_HEADERS = "answer_headers"
MAY_BE_DONE = "It may have been done: repeat it under its Idempotency-Key, or read."


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: the last part of its `type`, its status, and what a client should know of it."""

    name: str
    status: int
    title: str
    explanation: str

    @property
    def path(self) -> str:
        """Give the problem's `type`, a path of this service that explains it."""
        return f"/problems/{self.name}"


INVALID_PARAMETER = Kind(
    "invalid-parameter",
    400,
    "A parameter is not what this operation takes",
    "A query parameter or header is unknown here, stands twice, or has a value that is not allowed. `errors` "
    "names each. An unknown parameter is refused because a misspelt filter would answer with everything.",
)
INVALID_CURSOR = Kind(
    "invalid-cursor",
    400,
    "The cursor does not belong to this query",
    "A cursor is taken as it is from `next` of a page, with the same filters. Start again without one.",
)
CURSOR_OUTLIVED = Kind(
    "cursor-outlived",
    410,
    "Changes behind this cursor are missing",
    "The feed no longer holds what follows the cursor: it was swept, or the database was restored from a dump or a "
    "backup. Start again, so that nothing is missed: take `latest` of the feed with `after=latest`, list the events "
    "with the `Dateline-Position` of that answer, then follow from that cursor.",
)
MALFORMED_BODY = Kind(
    "malformed-body",
    400,
    "The body cannot be read",
    "The body is no JSON text, or is nested too deeply to be read.",
)
MALFORMED_REQUEST = Kind(
    "malformed-request",
    400,
    "The request cannot be read",
    "What came is no HTTP/1.1 request, or one with a header that may not be so; the connection was closed.",
)
UNAUTHENTICATED = Kind(
    "unauthenticated",
    401,
    "A key is needed",
    "Send a key as `Authorization: Bearer dl_…`. None was sent, or one that is unknown, expired or revoked. An "
    "administrator makes keys: `dateline keys create`, or `POST /v1/keys`.",
)
FORBIDDEN = Kind(
    "forbidden",
    403,
    "The key does not open this",
    "The key is good, but its scopes, or the timelines that it is limited to, do not cover what was asked. An "
    "administrator can make one that does.",
)
NOT_FOUND = Kind("not-found", 404, "There is no such thing", "Nothing is there, or nothing that you may see.")
GONE = Kind("gone", 410, "It was deleted", "It was there, and was deleted; `detail` says when and by whom.")
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, "The method is not for this path", "`Allow` lists the methods that are."
)
NOT_ACCEPTABLE = Kind(
    "not-acceptable", 406, "No representation of that type", "`detail` lists the media types to be had."
)
CONFLICT = Kind("already-exists", 409, "It exists already", "The slug or identity is taken.")
IN_USE = Kind("in-use", 409, "It is in use", "Something still refers to it; change or remove that first.")
KEY_IN_FLIGHT = Kind(
    "idempotency-key-in-flight",
    409,
    "It is being done",
    "A request with this `Idempotency-Key` is under way. Repeat it after `Retry-After`, with the same key: it brings "
    "the answer, or is done then if the other one failed.",
)
PATCH_CONFLICT = Kind(
    "patch-conflict",
    409,
    "The patch does not fit what is there",
    "A step of the JSON Patch finds nothing at its place, or a `test` finds another value. `errors` names the step; "
    "nothing was changed.",
)
BATCH_REFUSED = Kind(
    "batch-refused",
    422,
    "An operation of the batch is refused",
    "Nothing of the batch was done. `operations` says by what problem each one is refused, and `errors` where. What "
    "cannot be read is named all at once, what does not fit the store one at a time. With `atomic=false` the others "
    "are done.",
)
IMPORT_REFUSED = Kind(
    "import-refused",
    422,
    "Lines of the import are refused",
    "Nothing of the import was written. `errors` names the first lines that are refused, and why. With `atomic=false` "
    "the others are written.",
)
VERSION_CONFLICT = Kind(
    "version-conflict",
    412,
    "The present version is another",
    "What you change has changed since you read it. `ETag` and `current` show what is there now; in a batch, read it.",
)
TOO_LARGE = Kind(
    "too-large",
    413,
    "That is too large",
    "A body has at most 1 MiB, unless the operator says otherwise, an event what the database can index, and the "
    "answer to a batch 16 MiB.",
)
QUERY_TOO_LONG = Kind(
    "query-too-long",
    414,
    "The query string is too long",
    "`detail` says how many bytes a query string may have.",
)
UNSUPPORTED = Kind(
    "unsupported-media-type",
    415,
    "The body's type is not taken here",
    "Bodies are `application/json`; a PATCH takes `application/merge-patch+json` too, and that of an event "
    "`application/json-patch+json`; an import `application/x-ndjson` or `text/csv`. None is taken compressed.",
)
INVALID_BODY = Kind(
    "invalid-body",
    422,
    "The body is not what this operation takes",
    "`errors` names each member by JSON Pointer (RFC 6901). An unknown member is refused, so that a typo is "
    "not dropped unseen. An error in an EDTF expression says where and what was expected.",
)
KEY_REUSED = Kind(
    "idempotency-key-reused",
    422,
    "The key stands for another request",
    "This `Idempotency-Key` was sent before by you, to the same path, with another body, query or media type. A key is "
    "for one write and its repetitions.",
)
VERSION_REQUIRED = Kind(
    "version-required",
    428,
    "Say which version you have seen",
    "What exists is changed only with `If-Match`, so that no one's change is lost. Read it; send its `ETag`. In "
    "a batch, an operation names its version as `if_match`.",
)
RATE_LIMITED = Kind(
    "rate-limited",
    429,
    "Too many requests",
    "More requests came from your address, or with your key, than are let through in a minute, or too many keys that "
    "are unknown. Try again after `Retry-After`; `RateLimit` and `RateLimit-Policy` say which limit it is.",
)
INTERNAL = Kind("internal", 500, "Something went wrong here", "The fault is ours. `request_id` finds it in our log.")
# a full disk is no 507 (RFC 4918, section 11.5), which forbids to repeat a request unasked: with room it will be done
UNAVAILABLE = Kind(
    "unavailable",
    503,
    "Not now",
    "The database cannot answer now, or has no room to write, or the service is stopping. Try again after "
    "`Retry-After`. A write may have been done where the database was lost meanwhile: repeat it under its "
    "Idempotency-Key, or read.",
)
TOO_SLOW = Kind(
    "too-slow",
    503,
    "That would take too long",
    "The database gave up a statement, or the service a request, after its time limit. Ask for less at once. Of a "
    f"write that the service gave up, `detail` says what became of it. {MAY_BE_DONE}",
)
BUSY = Kind(
    "busy",
    503,
    "Too many ask at once",
    "As many requests as the service takes are waiting for their answers. Try again after `Retry-After`.",
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in list(globals().values()) if isinstance(kind, Kind)}

OF_ERROR: Mapping[type[errors.DatelineError], Kind] = {
    errors.NotFound: NOT_FOUND,
    errors.Gone: GONE,
    errors.AlreadyExists: CONFLICT,
    errors.InUse: IN_USE,
    errors.VersionConflict: VERSION_CONFLICT,
    errors.PatchConflict: PATCH_CONFLICT,
    errors.VersionRequired: VERSION_REQUIRED,
    errors.Invalid: INVALID_BODY,
    errors.TooLarge: TOO_LARGE,
    errors.InvalidCursor: INVALID_CURSOR,
    errors.CursorOutlived: CURSOR_OUTLIVED,
    errors.InFlight: KEY_IN_FLIGHT,
    errors.KeyReused: KEY_REUSED,
    errors.Unauthenticated: UNAUTHENTICATED,
    errors.Forbidden: FORBIDDEN,
    errors.Unavailable: UNAVAILABLE,
    errors.TooSlow: TOO_SLOW,
    errors.ReplicaFailed: UNAVAILABLE,
}
_OF_STATUS = {
    400: MALFORMED_BODY,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    406: NOT_ACCEPTABLE,
    413: TOO_LARGE,
    415: UNSUPPORTED,
    503: BUSY,
}
_RETRY_AFTER_SECONDS = "5"
_FORMS = {**FORMS, PREFIX_PATTERN: "must be a key's prefix, as dl_4k2m9xq7wz is"}
_RETRY_AFTER_WRITE_SECONDS = "1"
MOST_ERRORS = 20
# What stands in a path as it is (RFC 3986, section 3.3), beside letters, digits and -._~
_PATH_CHARACTERS = "/!$&'()*+,;=:@"
# As before an offset or a year of five digits; one elsewhere, as between words, does no harm.
_PLUS = re.compile(r"[0-9]\+[0-9]|\+[0-9]{5,}-")
_SPACED = "; a + in a query string is a space: write %2B"

Location = Sequence[int | str]


class NotAcceptable(Exception):
    """Say that no representation is of a type that the client takes; `offered` are those to be had."""

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__(f"to be had are: {', '.join(offered)}")


class InvalidParameters(Exception):
    """Say which query parameters are refused, by name, and why."""

    def __init__(self, refused: Mapping[str, str]) -> None:
        super().__init__(", ".join(refused))
        self.refused = refused


class RateLimited(Exception):
    """Say that it is one request too many; `headers` tell of the limit."""

    def __init__(self, retry_after_seconds: int, headers: Mapping[str, str]) -> None:
        super().__init__("one request too many: `Retry-After` says in how many seconds to try again")
        self.headers = {"Retry-After": str(retry_after_seconds), **headers}


def problem(
    request: Request,
    kind: Kind,
    detail: str,
    *,
    found: Iterable[ProblemError] = (),
    headers: Mapping[str, str] | None = None,
    **members: bytes | None,
) -> Response:
    """Answer with problem details; what else is given is shown beside them (UTF-8 JSON)."""
    errors_found = list(found)
    body = Problem(
        type=kind.path,
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=quote(request.scope["path"], safe=_PATH_CHARACTERS, errors="replace"),
        request_id=_request_id(request),
        errors=errors_found or None,
    ).model_dump_json(exclude_none=True)
    for name, value in members.items():
        if value is not None:
            body = f'{body[:-1]},"{name}":{value.decode()}}}'
    sent = {**request.scope.get("state", {}).get(ANSWER_HEADERS, {}), **(headers or {})}
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent["Retry-After"] = _RETRY_AFTER_SECONDS
    if kind is KEY_IN_FLIGHT:
        sent["Retry-After"] = _RETRY_AFTER_WRITE_SECONDS
    if kind is UNAUTHENTICATED:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(body, kind.status, sent, MEDIA_TYPE)


def worded(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a value in plain words, without repeating it."""
    return in_words(error, _FORMS)


def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError | InvalidMerge)  # noqa: S101  # registered for these
    if isinstance(error, InvalidMerge):
        found = [(["body", *one["loc"]], one) for one in error.reasons.errors()][:MOST_ERRORS]
    else:
        found = [(list(one["loc"]), one) for one in error.errors()][:MOST_ERRORS]
    for location, one in found:
        if location[0] == "path":
            return problem(request, NOT_FOUND, f"no such thing: {location[1]} in the path {worded(one)}")
        if one["type"] == "json_invalid":
            where = f" at position {location[1]}" if len(location) > 1 else ""
            return problem(request, MALFORMED_BODY, f"the body is no JSON text: {one['ctx']['error']}{where}")
    in_body = [(location[1:], one) for location, one in found if location[0] == "body"]
    if not in_body:
        refused = ((str(location[1]) if len(location) > 1 else "", worded(one)) for location, one in found)
        named = _of_parameters(request, refused)
        return problem(request, INVALID_PARAMETER, summary_of(named), found=named)
    named = [ProblemError(pointer=pointer(location), detail=worded(one)) for location, one in in_body]
    return problem(request, INVALID_BODY, summary_of(named), found=named)


def _of_parameters(request: Request, refused: Iterable[tuple[str, str]]) -> list[ProblemError]:
    """Say what is wrong with parameters, and what became of a plus in one, which is not seen in what was typed."""
    parts = [part.partition("=") for part in request.scope["query_string"].decode("latin-1").split("&")]
    with_plus = {unquote_plus(name) for name, _, value in parts if _PLUS.search(value)}
    return [ProblemError(parameter=name, detail=why + _SPACED * (name in with_plus)) for name, why in refused]


def summary_of(found: Sequence[ProblemError]) -> str:
    """Say all that is wrong in one text."""
    return "; ".join(f"{_place(one)}: {one.detail}" for one in found)


def _place(error: ProblemError) -> str:
    if error.line is not None:
        return f"line {error.line}{f', {error.pointer}' if error.pointer else ''}"
    return error.parameter or error.pointer or "the body"


def _on_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.DatelineError)  # noqa: S101  # registered for these
    return answer_error(request, error, ())


def answer_error(request: Request, error: errors.DatelineError, within: Location) -> Response:
    """Answer with an error whose pointers begin at a place in the body."""
    kind = OF_ERROR[type(error)]
    if isinstance(error, errors.VersionConflict):
        tag = None if error.version is None else {"ETag": etag(error.version, error.shape)}
        return problem(request, kind, str(error), headers=tag, current=error.document)
    if isinstance(error, errors.Invalid):
        place = None if error.pointer is None else pointer(within) + error.pointer
        found = ProblemError(pointer=place, parameter=error.parameter, detail=str(error))
        return problem(request, kind, summary_of([found]), found=[found])
    if isinstance(error, errors.PatchConflict):
        found = ProblemError(pointer=pointer([error.step]), detail=str(error))
        return problem(request, kind, summary_of([found]), found=[found])
    if isinstance(error, errors.InvalidCursor):
        found = ProblemError(parameter=error.parameter, detail=str(error))
        return problem(request, kind, str(error), found=[found])
    return problem(request, kind, str(error))


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for these
    kind = _OF_STATUS.get(error.status_code, INTERNAL)
    detail = kind.explanation if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)
    if kind is MALFORMED_BODY and isinstance(error.__cause__, ValueError):  # of which FastAPI says nothing
        is_utf8 = not isinstance(error.__cause__, UnicodeDecodeError)
        detail = "the body has a number of too many digits" if is_utf8 else "the body is no JSON text in UTF-8"
    headers = {"Allow": _allowed(request)} if kind is METHOD_NOT_ALLOWED else error.headers
    return problem(request, kind, detail, headers=headers)


def _allowed(request: Request) -> str:
    """List the methods of a path, which several routes share: each knows its own alone."""
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    # what is mounted are files, which know no more
    return ", ".join(["HEAD", *found] if "GET" in found else found) or "GET, HEAD"


def _on_not_acceptable(request: Request, error: Exception) -> Response:
    return problem(request, NOT_ACCEPTABLE, str(error), headers={"Vary": "Accept"})


def invalid_parameters(request: Request, error: Exception) -> Response:
    """Answer to parameters, or headers, that are refused by their names."""
    assert isinstance(error, InvalidParameters)  # noqa: S101  # registered for these
    found = _of_parameters(request, islice(error.refused.items(), MOST_ERRORS))
    return problem(request, INVALID_PARAMETER, summary_of(found), found=found)


def rate_limited(request: Request, error: Exception) -> Response:
    """Answer one request too many."""
    assert isinstance(error, RateLimited)  # noqa: S101  # registered for these
    return problem(request, RATE_LIMITED, str(error), headers=error.headers)


def _on_any_error(request: Request, error: Exception) -> Response:
    # this answer is made beyond the middleware that names the request; the stack is logged by the server itself
    request_id = _request_id(request)
    logger.error("request %s failed: %s", request_id, type(error).__name__)
    return problem(request, INTERNAL, INTERNAL.explanation, headers={"X-Request-Id": request_id})


def _request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


def register(app: FastAPI) -> None:
    """Have every error answered as problem details."""
    app.add_exception_handler(errors.DatelineError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(InvalidMerge, _on_validation)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(NotAcceptable, _on_not_acceptable)
    app.add_exception_handler(InvalidParameters, invalid_parameters)
    app.add_exception_handler(RateLimited, rate_limited)
    app.add_exception_handler(Exception, _on_any_error)
