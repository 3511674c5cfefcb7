"""A name for each request, in the answer and in the log."""

from __future__ import annotations

import re

from starlette.types import Scope
from uuid_utils.compat import uuid7

from service.api.layer import Header

_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,100}")


def request_id_of(scope: Scope) -> str:
    """Take the request's `X-Request-Id` if it is harmless, or make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _GIVEN.fullmatch(value) else uuid7().hex
    return uuid7().hex


def mark_request_id(scope: Scope, status: int, headers: list[Header]) -> None:  # noqa: ARG001  # as every mark
    """Send it back."""
    # what is answered beyond the layers names the request itself
    if not any(name == b"x-request-id" for name, _ in headers):
        headers.append((b"x-request-id", scope["state"]["request_id"].encode()))
