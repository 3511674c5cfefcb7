"""Which representation a client gets: by `Accept` (RFC 9110, section 12.5.1), or by `format=` in a link."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from fastapi import Request

from service.api.problems import NotAcceptable


def _quality(accept: str, offered: str) -> float:
    """Weigh a media type by the most specific range that holds it; 0 where none does."""
    kind = offered.split("/", 1)[0]
    best = (-1, 0.0)
    for part in accept.split(","):
        given, *parameters = (piece.strip().lower() for piece in part.split(";"))
        specific = {offered: 2, f"{kind}/*": 1, "*/*": 0}.get(given, -1)
        if specific > best[0]:
            best = (specific, _weight(parameters))
    return best[1]


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def choose(request: Request, offered: Sequence[str]) -> str:
    """Choose among the media types that are to be had, the first being ours to choose.

    Raises NotAcceptable if the client takes none of them.
    """
    chosen = _chosen(",".join(request.headers.getlist("accept")), tuple(offered))
    if chosen is None:
        raise NotAcceptable(offered)
    return chosen


@lru_cache(maxsize=256)  # clients are few, and each says the same with every request
def _chosen(accept: str, offered: tuple[str, ...]) -> str | None:
    if not accept.strip():
        return offered[0]
    weights = [_quality(accept, one) for one in offered]
    heaviest = max(weights)
    return offered[weights.index(heaviest)] if heaviest > 0 else None
