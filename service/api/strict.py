"""The refusal of what an operation does not know: a query parameter, or a body of another media type.

A typo must never return everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, get_origin
from urllib.parse import parse_qsl, unquote_to_bytes

from fastapi import Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from service.api.arguments import plain_arguments
from service.api.freshness import Handler, once_more_at_the_primary
from service.api.limits import check_shape
from service.api.problems import InvalidParameters
from service.settings import Settings
from service.wording import MOST_MISTYPED, suggestion

JSON = "application/json"
MERGE_PATCHES = ("application/merge-patch+json", JSON)
JSON_PATCH = "application/json-patch+json"
# What says how many items a page has, wherever there are pages.
PAGE = "limit"


class StrictRoute(APIRoute):
    """An operation that refuses query parameters that it does not know, or knows once and is told twice.

    `accepted_patches` are the media types that a PATCH at its path takes, whichever operation does; `ignored` are names
    of parameters that are neither known nor refused.
    """

    accepted_patches: tuple[str, ...] = MERGE_PATCHES
    ignored: re.Pattern[str] | None = None

    @property
    def taken(self) -> tuple[str, ...]:
        """Name the media types of its body; none where it has none."""
        if self.body_field is None:
            return ()
        own = getattr(self.body_field.field_info, "media_type", JSON)
        return MERGE_PATCHES if own == JSON and self.methods == {"PATCH"} else (own,)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Check the query string before anything else; it raises InvalidParameters."""
        return self.plain_handler() or self._checked(super().get_route_handler())

    def plain_handler(self) -> Handler | None:
        """Give what answers without FastAPI's solver, checked the same; None where only that knows how."""
        arguments = plain_arguments(self.dependant, self._declared)
        return None if arguments is None else self._checked(arguments.answer)

    @property
    def _declared(self) -> dict[str, bool]:
        """Name the parameters of its query, and tell which may stand more than once."""
        # a path's or header's parameter is of a class of its own; a query's may be a member of a model
        other = (params.Path, params.Header, params.Cookie)
        return {
            field.alias: get_origin(field.field_info.annotation) is list
            for field in get_flat_params(self.dependant)
            if not isinstance(field.field_info, other)
        }

    def _checked(self, answer: Handler) -> Handler:
        declared, taken = self._declared, self.taken
        handle = once_more_at_the_primary(answer)

        async def checked(request: Request) -> Response:
            limits: Settings = request.app.state.settings
            if request.scope["query_string"]:
                check(request, declared, page_items=limits.page_items, ignored=self.ignored)
            if taken:
                self._check_media_type(request, taken)
                body = await request.body()
                if body and not media_type(request.headers):
                    raise self._of_another_type(request)
                check_shape(body, depth=limits.json_depth, items=limits.array_items)
            return await handle(request)

        return checked

    def _check_media_type(self, request: Request, taken: tuple[str, ...]) -> None:
        """Refuse a body that says it is compressed, or is something else than ours: a JSON Patch is no merge patch."""
        check_coding(request.headers)
        given = media_type(request.headers)
        if given and given not in taken:
            raise self._of_another_type(request)

    def _of_another_type(self, request: Request) -> HTTPException:
        if request.method != "PATCH":
            return HTTPException(415, as_one_of(self.taken))
        accepted = self.accepted_patches
        return HTTPException(415, as_one_of(accepted), {"Accept-Patch": ", ".join(accepted)})


def check_coding(headers: Headers) -> None:
    """Refuse a body that says it is compressed. Raises HTTPException."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "send the body as it is, not compressed")


def as_one_of(media_types: Sequence[str]) -> str:
    """Say as what to send a body."""
    *others, last = media_types
    return f"send the body as {', '.join(others)}{' or ' if others else ''}{last}"


def media_type(headers: Headers) -> str:
    """Read the media type of a body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check(
    request: Request, declared: dict[str, bool], *, page_items: int, ignored: re.Pattern[str] | None = None
) -> None:
    """Compare a query string with what is declared: names, and whether each may stand more than once.

    A page has at most `page_items`: what is declared is the most that an operator may set. Raises InvalidParameters.
    """
    refused = _garbled(request.scope["query_string"])
    for name in request.query_params:
        if ignored is not None and ignored.fullmatch(name):
            continue
        if name not in declared:
            known = sorted(declared)
            hint = suggestion(name, known) if len(refused) < MOST_MISTYPED else ""
            refused[name[:100]] = f"{unknown(known)}{hint}"
        elif not declared[name] and len(request.query_params.getlist(name)) > 1:
            refused[name] = "stands more than once"
        elif name == PAGE and _number(request.query_params[name]) > page_items:
            refused[name] = f"must be at most {page_items}"
    if refused:
        raise InvalidParameters(refused)


def _garbled(query: bytes) -> dict[str, str]:
    """Name the parameters that are not UTF-8: what is read of them has other characters in the place of some."""
    if _is_utf8(unquote_to_bytes(query)):
        return {}
    # of this encoding each byte is a character, and comes back as it was
    told = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return {
        name.encode("latin-1").decode(errors="replace")[:100]: "is not UTF-8"
        for name, value in told
        if not _is_utf8(f"{name}={value}".encode("latin-1"))
    }


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def unknown(known: Sequence[str]) -> str:
    """Say that a parameter is unknown, and which ones are known."""
    return f"is unknown here; known are: {', '.join(known) or 'none'}"


def _number(text: str) -> int:
    """Read a whole number; what is none is for its own check to refuse, and is 0 here."""
    try:
        return int(text)
    except ValueError:
        return 0
