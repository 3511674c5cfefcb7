"""How long whoever passes an answer on may keep it, and what it depends on (RFC 9111; RFC 9110, section 12.5.5).

What is read may be kept, and is asked for anew each time (`no-cache`): with an entity tag that costs a 304. Where it
depends on who asks, no cache that several share keeps it. All else is kept by nobody.
"""

from __future__ import annotations

from starlette.types import Scope

from service.api.layer import Header

_OF_ANYONE = (b"cache-control", b"public, no-cache")
_OF_ONE = (b"cache-control", b"private, no-cache")
_OF_NOBODY = (b"cache-control", b"no-store")
_KEPT = (200, 304)
# How the service is doing right now.
WATCHED = ("/health/", "/metrics")
_API, _TIMELINE_PAGE = "/v1/", "/"


class Caching:
    """What caches are told; with `is_open` anyone may read what is public."""

    def __init__(self, *, is_open: bool) -> None:
        self._is_open = is_open

    def mark(self, scope: Scope, status: int, headers: list[Header]) -> None:
        """Tell of an answer that does not tell itself."""
        path: str = scope["path"]
        is_read = status in _KEPT and scope["method"] in ("GET", "HEAD") and not path.startswith(WATCHED)
        names = {name for name, _ in headers}
        if b"cache-control" not in names:
            headers.append(self._of(scope, path) if is_read else _OF_NOBODY)
        if is_read:
            asked = [value for name, value in headers if name == b"vary"]
            if asked:
                headers[:] = [header for header in headers if header[0] != b"vary"]
            asked.append(b"Accept-Encoding, Authorization" if _depends_on_who_asks(path) else b"Accept-Encoding")
            headers.append((b"vary", b", ".join(asked)))

    def _of(self, scope: Scope, path: str) -> Header:
        if not _depends_on_who_asks(path):
            return _OF_ANYONE
        is_known = any(name == b"authorization" for name, _ in scope["headers"])
        return _OF_ANYONE if self._is_open and not is_known else _OF_ONE


def _depends_on_who_asks(path: str) -> bool:
    return path.startswith(_API) or path == _TIMELINE_PAGE
