"""Who asks, and what they may do.

With a write key (`DATELINE_WRITE_KEY`), whoever sends it may write and sees private timelines. Without
one, the service's own machine may, as long as the service listens to nobody else; beyond that nobody may write. Such
a request names this machine, too: a page from elsewhere whose name was made to lead here does not, and a proxy that
passes on what strangers ask should not.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.errors import Forbidden, Unauthenticated
from service.settings import Settings
from service.store.database import Database
from service.store.query import Caller

_bearer = HTTPBearer(
    scheme_name="Key",
    auto_error=False,
    description="The key that writing needs, and that private timelines are read with: `DATELINE_WRITE_KEY`. Where "
    "none is set, whoever is on the service's own machine may write without, as long as it listens to nobody else.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@lru_cache(maxsize=64)
def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _named_host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


async def caller(request: Request, credentials: Credentials) -> Caller:
    """Tell who asks. Raises Unauthenticated for a key that is not known."""
    settings: Settings = request.app.state.settings
    if settings.write_key is None:
        is_local = _is_loopback(settings.host) and _is_loopback(_named_host(request))
        return Caller(sees_private=is_local, name="local" if is_local else "anonymous")
    if credentials is None:
        return Caller(sees_private=False)
    expected = settings.write_key.get_secret_value().encode()
    # a header's bytes come to us as latin-1, whatever they are
    if not hmac.compare_digest(credentials.credentials.encode("latin-1"), expected):
        raise Unauthenticated("the key is not known here")
    return Caller(sees_private=True, name="operator")


async def writer(request: Request, who: Annotated[Caller, Depends(caller)]) -> Caller:
    """Let only those through who may write. Raises Unauthenticated or Forbidden."""
    if who.sees_private:
        return who
    settings: Settings = request.app.state.settings
    if settings.write_key is None:
        raise Forbidden("writing needs a key, and this service has been given none")
    raise Unauthenticated("writing needs a key")


async def database(request: Request) -> Database:
    """Give the process's database; not a plain function, which FastAPI would send to another thread."""
    given: Database = request.app.state.database
    return given


Reader = Annotated[Caller, Depends(caller)]
Writer = Annotated[Caller, Depends(writer)]
Store = Annotated[Database, Depends(database)]
