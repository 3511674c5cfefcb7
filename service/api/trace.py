"""The trace that a request belongs to: W3C Trace Context, level 1 (`traceparent`)."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from opentelemetry.trace import get_current_span
from starlette.types import Scope

# A later version may add fields at the end; ff is no version, and an identity of zeros alone is none.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_LAST_BITS = 1


class Trace(NamedTuple):
    """Where a request stands in a trace, in hexadecimal digits; `parent_id` is the caller's span, if it told one."""

    trace_id: str
    span_id: str
    parent_id: str | None


def trace_of(scope: Scope) -> Trace:
    """Go on with the trace that the request says it is part of, or begin one; what is malformed is as if not there.

    Where OpenTelemetry has begun a span for the request, it is that one, so that logs and spans find each other.
    """
    given = _parent(scope)
    span = get_current_span().get_span_context()
    if span.is_valid:
        return Trace(f"{span.trace_id:032x}", f"{span.span_id:016x}", given[1] if given else None)
    span_id = f"{random.getrandbits(64) | _LAST_BITS:016x}"  # it names, and protects nothing
    if given:
        return Trace(given[0], span_id, given[1])
    return Trace(f"{random.getrandbits(128) | _LAST_BITS:032x}", span_id, None)


def _parent(scope: Scope) -> tuple[str, str] | None:
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"]
    found = _TRACEPARENT.fullmatch(given[0]) if len(given) == 1 else None
    if found is None or (given[0].startswith("00-") and found.end(2) + len("-00") != len(given[0])):
        return None
    return found[1], found[2]
