"""What schemathesis is told of the service, beside its document: hooks, which it loads (schemathesis.toml).

A request that the document allows and the service refuses must be explained here, by what no JSON Schema can say.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, HookContext, Response, SerializationContext
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

from tests.keys import ADMIN_PREFIX

KEY_HEADER = "Idempotency-Key"
_SERIAL = itertools.count(1)
_EXPLANATIONS = os.environ.get("DATELINE_FUZZING_EXPLANATIONS")
_SEALED = os.environ.get("DATELINE_FUZZING_SEALED")

# What a whole request may be answered with (schemathesis.toml), an operation of a batch may be, too.
_STANDING = (404, 409, 410, 412, 428)
_HOW_THINGS_STAND = "how things stand"
# By what a problem says: why the document cannot.
EXPLAINED = {
    _HOW_THINGS_STAND: "a version, or what is to be changed, is there or is not",
    r"sent before, with another request": "an idempotency key is good for one request",
    r"the cursor is damaged": "a cursor is signed",
    r"is in the future": "no pattern knows what time it is",
    r"secrets sign already": "there are only so many at a time",
    r"is damaged, or of another service": "and so is a position",
    r"is no date: ": "EDTF is no regular language",
    r"is no (window|time)|window": "a window is written in EDTF",
    r"expected an instant|has no day": "no pattern knows how long a month is, nor where the axis ends",
    r"must have an end": "what is known at an instant is asked for by a date that ends",
    r"no (actor|place|source) '.*' in the directory": "what a slug names must be there",
    r"needs (datetime|q)": "a parameter may need another",
    r"has no meaning for": "a parameter may exclude another",
    r"would be .* buckets|take a narrower window": "a window may have more buckets than are given",
    r"an event is not linked to itself": "two parts of a path must differ",
    r"nothing was written: ": "the lines of an import are text to the document",
    r"latitude and longitude stand together": "a patch is judged by what it makes of the place",
    r"has a host that|names a port|names the service's own machine|is no address that is sent to": (
        "what is called by what else leads into the network (service/wire/endpoint.py)"
    ),
}

schemathesis.openapi.format(
    "edtf",
    st.sampled_from(
        ["2013-02-25", "2013", "[..2013-02-24]", "2013-02-20/2013-02-28", "19XX", "2013-02~", "{2013-02,2014}"]
    )
    | st.dates().map(str),
)


@schemathesis.serializer("application/x-ndjson", "text/csv")
def _as_lines(context: SerializationContext, value: object) -> bytes:  # noqa: ARG001  # the serializer's form
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG001  # the hook's form
    """Give a request a key of its own where it would be the document's example, and have steps leave something."""
    if case.path_parameters.get("key") == ADMIN_PREFIX:  # whoever revokes the key that they use sees nothing more
        case.path_parameters["key"] = "dl_0000000000"
    if case.headers and _is_example(case.headers.get(KEY_HEADER)):
        case.headers[KEY_HEADER] = f"{case.headers[KEY_HEADER]}-{next(_SERIAL)}"
    if case.meta is not None and case.meta.phase.name.value == "stateful" and case.query:
        case.query.pop("dry_run", None)


def _is_example(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f-]{36}", text) is not None


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:  # noqa: ARG001  # the hook's form
    """Drop what is explained, and note by what."""
    if not isinstance(failure, RejectedPositiveData) or _EXPLANATIONS is None:
        return True
    reasons = {_reason(said) for said in _said(response.json())}
    if not reasons or None in reasons:
        return True
    with Path(_EXPLANATIONS).open("a") as notes:
        notes.writelines(f"{reason}\n" for reason in reasons)
    return False


def _said(problem: dict[str, Any]) -> Iterator[str]:
    """Read all that a problem says is wrong, for each operation of a batch."""
    if problem["status"] in _STANDING:
        yield _HOW_THINGS_STAND
    elif problem["type"] == "/problems/import-refused":
        yield problem["detail"]
    elif operations := problem.get("operations"):
        for operation in operations:
            yield from _said(operation["problem"])
    else:
        yield from (error["detail"] for error in problem.get("errors") or [problem])


def _reason(said: str) -> str | None:
    return next((reason for pattern, reason in EXPLAINED.items() if re.search(pattern, said)), None)


@schemathesis.check
def nothing_sealed_is_told(ctx: CheckContext, response: Response, case: Case[Any]) -> None:  # noqa: ARG001  # the check's form
    """Hold that nothing of a timeline that the key does not cover is in any answer."""
    if _SEALED is not None:
        assert _SEALED.encode() not in response.content.lower(), "it tells what the key does not cover"
