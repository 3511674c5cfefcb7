"""Tokens of an OpenID Connect issuer: whether one is good, and what it says (RFC 7519, RFC 9068, RFC 8725).

Only signatures that the issuer alone can make are taken: never `none`, never HMAC, whose secret would be a public key.
Keys are kept for a while, and asked for again at once where a token names one that is not known, as after a rotation;
but not more often than now and then, however many such tokens come.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt import PyJWK
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    MissingRequiredClaimError,
    PyJWTError,
)

from service.identity.errors import IssuerUnreachableError, TokenRefusedError
from service.identity.fetching import fetch_keys

logger = logging.getLogger("dateline.identity")

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# RFC 9068 calls access tokens `at+jwt`; many issuers still say `JWT`, or nothing. An ID token that says so is none.
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
MOST_CHARACTERS = 8_192
# It is written into histories.
_SUBJECT = re.compile(r"[\x21-\x7e]{1,200}")
_KEPT_SECONDS = 3600.0
# Longer than they are kept, for as long as the issuer does not answer.
_LONGEST_KEPT_SECONDS = 86_400.0
# Between two questions for the keys.
_PAUSE_SECONDS = 10.0
_REASONS: dict[type[PyJWTError], str] = {
    ExpiredSignatureError: "it has expired",
    ImmatureSignatureError: "it is not valid yet",
    InvalidAudienceError: "it is meant for another service",
    InvalidIssuerError: "another issuer made it",
    MissingRequiredClaimError: "it lacks a claim that is needed",
}

Keys = dict[str | None, PyJWK]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says: of whom, until when (seconds since 1970), and all of it."""

    subject: str
    expires_at: int
    members: dict[str, Any]

    def words(self, claim: str) -> tuple[str, ...] | None:
        """Read a claim that is a list, or words with blanks between them as `scope` is; None where it is absent."""
        value = self.members.get(claim)
        if value is None:
            return None
        found: Sequence[Any] = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
        return tuple(one for one in found if isinstance(one, str))


class Issuer:
    """One issuer, whose tokens for one audience are taken; its clock may differ by the leeway."""

    def __init__(
        self,
        url: str,
        audience: str,
        *,
        leeway_seconds: float,
        fetch: Callable[[str], Keys] = fetch_keys,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._audience = audience
        self._leeway_seconds = leeway_seconds
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None  # kept, since the event loop does not

    async def check(self, token: str) -> Claims:
        """Judge a token. Raises TokenRefusedError, and IssuerUnreachableError where no key is to be had."""
        if len(token) > MOST_CHARACTERS:
            raise TokenRefusedError("it is too long")
        try:
            header = jwt.get_unverified_header(token)
        except (PyJWTError, ValueError) as error:
            raise TokenRefusedError("it is no token") from error
        algorithm, kind = header.get("alg"), header.get("typ")
        if algorithm not in ALGORITHMS:
            raise TokenRefusedError("it is signed in a way that is not taken here")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES or "crit" in header:
            raise TokenRefusedError("it is a token of another kind")
        key = await self._key(header.get("kid"))
        if key.algorithm_name != algorithm:
            raise TokenRefusedError("it is signed otherwise than its key says")
        try:
            members: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._url,
                leeway=self._leeway_seconds,
                options={"require": ["exp", "iss", "aud", "sub"], "verify_iat": True},
            )
        except PyJWTError as error:
            raise TokenRefusedError(_REASONS.get(type(error), "its signature or its claims do not hold")) from error
        except (ValueError, TypeError, OverflowError) as error:
            raise TokenRefusedError("its claims cannot be read") from error
        subject = members["sub"]
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise TokenRefusedError("its subject cannot be told")
        return Claims(subject, int(members["exp"]), members)

    async def _key(self, name: object) -> PyJWK:
        if name is not None and not isinstance(name, str):
            raise TokenRefusedError("it is no token")
        if self._find(name) is None or self._age() > _LONGEST_KEPT_SECONDS:
            await self._refresh()
        elif self._age() > _KEPT_SECONDS and (self._refreshing is None or self._refreshing.done()):
            # beside it: nobody waits for a slow issuer whose key is known
            self._refreshing = asyncio.create_task(self._refresh())
        found = self._find(name)
        if found is None or self._age() > _LONGEST_KEPT_SECONDS:
            if self._fetched_at is None or self._age() > _LONGEST_KEPT_SECONDS:
                raise IssuerUnreachableError("the issuer of tokens does not answer")
            raise TokenRefusedError("it names a key that its issuer does not have")
        return found

    def _find(self, name: str | None) -> PyJWK | None:
        """Find a key; a token that names none is taken where there is no choice."""
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(name)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    async def _refresh(self) -> None:
        """Ask for the keys, unless that was done just now; where the issuer does not answer, the old ones stay."""
        asked_before = self._asked_at
        async with self._asking:
            if self._asked_at != asked_before:
                return  # somebody else has asked meanwhile
            if self._asked_at is not None and self._clock() - self._asked_at < _PAUSE_SECONDS:
                return
            self._asked_at = self._clock()
            try:
                self._keys = await asyncio.to_thread(self._fetch, self._url)
                self._fetched_at = self._clock()
            except IssuerUnreachableError as error:
                logger.warning("no keys from the issuer of tokens: %s", error)
