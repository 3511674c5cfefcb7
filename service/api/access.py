"""Who asks, and what they may do.

A key is sent as a bearer token (RFC 6750). Without one, public timelines may be read, unless the operator wants a key
for that too (`DATELINE_READ=key`); nothing may be written. A key that is limited to timelines writes these alone. What
a caller may not see is not there for them: a 404, never a 403.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.api.rate_limit import Limiter
from service.errors import Forbidden, Unauthenticated, Unavailable
from service.identity import Claims, Issuer, IssuerUnreachableError, TokenRefusedError
from service.settings import Settings
from service.store.database import Database
from service.store.keys import find_caller, is_good
from service.store.query import Caller
from service.store.timelines import check_timeline
from service.wire.key import SCOPES
from service.wire.key_text import MARK, prefix_of

_bearer = HTTPBearer(
    scheme_name="Key",
    auto_error=False,
    description="A key, `dl_…`, as `dateline keys create` or `POST /v1/keys` makes it, or a token of the OpenID "
    "Connect issuer that the service trusts. Writing needs the scope `write`; reading a private timeline, a key that "
    "covers it.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]

_ANYONE = Caller()
# What our scopes are called in a token, among those of other services.
_SCOPE_MARK = "dateline:"


async def database(request: Request) -> Database:
    """Give the process's database; not a plain function, which FastAPI would send to another thread."""
    given: Database = request.app.state.database
    return given


Store = Annotated[Database, Depends(database)]


async def caller(request: Request, credentials: Credentials) -> Caller:
    """Tell who asks. Raises Unauthenticated for a key that opens nothing, and without one where reading needs it."""
    settings: Settings = request.app.state.settings
    if credentials is None:
        # not so of other schemes: a proxy in front may use them for itself
        if request.headers.get("authorization", "").startswith(MARK):
            raise Unauthenticated(f"send the key as Authorization: Bearer {MARK}…")
        if settings.read == "key":
            raise Unauthenticated("reading needs a key here")
        return _ANYONE
    who = await _who_sends(request, credentials.credentials)
    limiter: Limiter = request.app.state.limiter
    await limiter.hit(request, who.name)
    # where nothing is open to all, a key for some timelines opens these alone
    return replace(who, sees_public=False) if settings.read == "key" and who.timelines is not None else who


async def _who_sends(request: Request, text: str) -> Caller:
    issuer: Issuer | None = request.app.state.issuer
    if prefix_of(text) is not None:
        store: Database = request.app.state.database
        async with store.read() as connection:
            return await find_caller(connection, text)
    if issuer is None or text.startswith(MARK):
        raise Unauthenticated("that is no key: it was cut off, or mistyped, or is of another service")
    try:
        claims = await issuer.check(text)
    except TokenRefusedError as error:
        raise Unauthenticated(f"the token is refused: {error}") from error
    except IssuerUnreachableError as error:
        raise Unavailable(str(error)) from error
    return _of_claims(claims, request.app.state.settings)


def _of_claims(claims: Claims, settings: Settings) -> Caller:
    """Take from a token what it opens; one without a scope of ours opens no more than what is open to all."""
    given = claims.words(settings.oidc_scope_claim) or ()
    scopes = {one.removeprefix(_SCOPE_MARK) for one in given if one.startswith(_SCOPE_MARK)} & set(SCOPES)
    timelines = claims.words(settings.oidc_timelines_claim)
    limited = None if timelines is None else frozenset(timelines)
    return Caller(
        name=f"oidc:{claims.subject}",
        timelines=limited if scopes else frozenset(),
        writes=not {"write", "admin"}.isdisjoint(scopes),
        # who is limited to some timelines does not make keys for all
        administers="admin" in scopes and limited is None,
        until=(claims.expires_at + math.ceil(settings.oidc_leeway_seconds)) * 1_000_000,
    )


async def still_opens(store: Database, who: Caller) -> bool:
    """Tell whether what they sent when they came would still let them in."""
    if not who.is_known:
        return True
    if who.until is not None:
        return time.time_ns() // 1000 < who.until
    async with store.read() as connection:
        return await is_good(connection, who.name)


Reader = Annotated[Caller, Depends(caller)]


async def check_write(store: Database, who: Caller, timeline: str | None) -> None:
    """Let through who may write a timeline, or for None what all timelines share.

    Raises Unauthenticated without a key, NotFound for a timeline that they may not see, else Forbidden.
    """
    if who.may_write(timeline):
        return
    check_key(who)
    if timeline is not None:
        async with store.read() as connection:
            await check_timeline(connection, timeline, who)
    if not who.writes:
        raise Forbidden("the key may read, and not write")
    what = "what all timelines share" if timeline is None else f"timeline {timeline!r}"
    raise Forbidden(f"the key is limited to other timelines, and may not write {what}")


def check_key(who: Caller) -> None:
    """Raise Unauthenticated where no key was sent."""
    if not who.is_known:
        raise Unauthenticated("this needs a key")


async def writer(request: Request, who: Reader, store: Store) -> Caller:
    """Let only those through who may write the timeline of the path, or what all share where it names none."""
    await check_write(store, who, request.path_params.get("timeline"))
    return who


async def contributor(who: Reader) -> Caller:
    """Let those through who may write anything: they add to what all timelines share, and change nothing there."""
    check_key(who)
    if not who.writes:
        raise Forbidden("the key may read, and not write")
    return who


async def administrator(who: Reader) -> Caller:
    """Let only administrators through."""
    check_key(who)
    if not who.administers:
        raise Forbidden("the key has not the scope admin")
    return who


Writer = Annotated[Caller, Depends(writer)]
Contributor = Annotated[Caller, Depends(contributor)]
Administrator = Annotated[Caller, Depends(administrator)]
