"""How often who may ask: per address, per key, and how many unknown keys an address may try.

Each limit is of a minute that begins with the first request. The answer says what is left of it (`RateLimit` and
`RateLimit-Policy`, draft-ietf-httpapi-ratelimit-headers-10). The addresses of this machine are not limited, but for a
proxy there that is not believed; nor is whoever asks for health or figures.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from fastapi import Request, Response
from limits import RateLimitItemPerMinute
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.counters import BoundedMemory, SharedCounters
from service.api.layer import Header, Layer, answer_of
from service.api.problems import RateLimited, rate_limited

logger = logging.getLogger("dateline.limits")

_WINDOW_SECONDS = 60
_EXEMPT = frozenset({"/health/live", "/health/ready", "/metrics"})
_ONE_HOME = 64  # the bits of an IPv6 address that one customer has for himself
_ADDRESS_CHARACTERS = 64
_PAUSE_SECONDS = 5.0  # after which a storage that failed is asked again


class Policy(NamedTuple):
    """A limit: its name as clients see it, and how many requests a minute it lets through."""

    name: str
    quota: int

    @property
    def text(self) -> str:
        """Write it as an item of `RateLimit-Policy`."""
        return f'"{self.name}";q={self.quota};w={_WINDOW_SECONDS}'


class Standing(NamedTuple):
    """How far somebody has used up a limit."""

    policy: Policy
    remaining: int
    reset_seconds: int

    @property
    def text(self) -> str:
        """Write it as an item of `RateLimit`."""
        return f'"{self.policy.name}";r={self.remaining};t={self.reset_seconds}'


class Limiter:
    """The limits of one application; 0 a minute is no limit. Counted in `shared`, and while that fails in memory."""

    def __init__(
        self,
        *,
        address_per_minute: int,
        key_per_minute: int,
        failed_keys_per_minute: int,
        shared: SharedCounters | None = None,
    ) -> None:
        self.address = Policy("address", address_per_minute)
        self.key = Policy("key", key_per_minute)
        self.failed_keys = Policy("failed-keys", failed_keys_per_minute)
        self._memory = FixedWindowRateLimiter(BoundedMemory())
        self._counters = shared
        self._shared = None if shared is None else FixedWindowRateLimiter(shared)
        self._shared_from = 0.0  # by the monotonic clock

    async def close(self) -> None:
        """Let go of what is shared with other instances."""
        if self._counters is not None:
            await self._counters.close()

    async def count(self, policy: Policy, whom: str) -> Standing | None:
        """Count a request, and tell what is left; None where there is no limit. Raises RateLimited if nothing was."""
        if not policy.quota:
            return None
        return await self._ask(policy, whom, is_counted=True)

    async def look(self, policy: Policy, whom: str) -> None:
        """Raise RateLimited if nothing is left, and count nothing."""
        if policy.quota:
            await self._ask(policy, whom, is_counted=False)

    async def hit(self, request: Request, name: str) -> None:
        """Count a request of a caller whose key is known by this name. Raises RateLimited if it is one too many.

        The caller's name stands in the log from then on.
        """
        request.scope["state"]["caller"] = name
        standing = await self.count(self.key, name)
        if standing is not None:
            standings(request.scope).append(standing)

    async def _ask(self, policy: Policy, whom: str, *, is_counted: bool) -> Standing:
        now = time.monotonic()
        if self._shared is not None and self._shared_from <= now:
            try:
                return await _ask(self._shared, policy, whom, is_counted=is_counted)
            except StorageError as error:
                self._shared_from = now + _PAUSE_SECONDS
                logger.warning("rate limits are counted by this process alone for the moment: %s", error.storage_error)
        return await _ask(self._memory, policy, whom, is_counted=is_counted)


@cache
def _item(policy: Policy) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(policy.quota, namespace=policy.name)


async def _ask(limiter: FixedWindowRateLimiter, policy: Policy, whom: str, *, is_counted: bool) -> Standing:
    item = _item(policy)
    is_allowed = await (limiter.hit(item, whom) if is_counted else limiter.test(item, whom))
    reset, remaining = await limiter.get_window_stats(item, whom)
    standing = Standing(policy, remaining, max(1, math.ceil(reset - time.time())))
    if not is_allowed:
        raise RateLimited(standing.reset_seconds, {"RateLimit": standing.text, "RateLimit-Policy": policy.text})
    return standing


def standings(scope: Scope) -> list[Standing]:
    """Give the list of the limits that apply to a request, to be added to."""
    found: list[Standing] = scope["state"].setdefault("standings", [])
    return found


class RateLimit(Layer):
    """Count each request by where it comes from, and refuse what is too much.

    Who has tried too many unknown keys may send none for a while, not even a good one: it could be a guess.
    """

    def __init__(self, app: ASGIApp, limiter: Limiter, *, believed: Sequence[str]) -> None:
        super().__init__(app)
        self._limiter = limiter
        self._believed = [ip_network(one) for one in believed]
        self._has_hinted = False

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it is not one too many."""
        whom = None if scope["path"] in _EXEMPT else self._whom(scope)
        if whom is None:
            await self.app(scope, receive, send)
            return
        sends_key = any(name == b"authorization" for name, _ in scope["headers"])
        limiter = self._limiter
        try:
            if (standing := await limiter.count(limiter.address, whom)) is not None:
                standings(scope).append(standing)
            if sends_key:
                await limiter.look(limiter.failed_keys, whom)
        except RateLimited as error:
            await self._refusal(scope, error)(scope, receive, send)
            return
        await self.app(scope, receive, send)
        if sends_key and answer_of(scope).status == HTTPStatus.UNAUTHORIZED:
            with suppress(RateLimited):  # several at the same time; the next one is refused
                await limiter.count(limiter.failed_keys, whom)

    def _whom(self, scope: Scope) -> str | None:
        """Say whom a request counts for; None for this machine, unless it speaks for others and is not believed."""
        if not scope.get("client"):
            return None
        address: str = scope["client"][0]
        whom = identity(address)
        if whom is None and _is_forwarded(scope) and not self._believes(address):
            self._hint()
            return address
        return whom

    def _refusal(self, scope: Scope, error: RateLimited) -> Response:
        if not self._believed and _is_forwarded(scope):
            self._hint()
        return rate_limited(Request(scope), error)

    def _believes(self, address: str) -> bool:
        read = _read(address)
        return any(read in network for network in self._believed)

    def _hint(self) -> None:
        """Tell the operator, once, what is amiss with a proxy."""
        if not self._has_hinted:
            self._has_hinted = True
            logger.warning(
                "all clients of a proxy are limited as if they were one: "
                "set DATELINE_TRUSTED_PROXIES to the addresses of proxies that are to be believed"
            )


def _is_forwarded(scope: Scope) -> bool:
    return any(name == b"x-forwarded-for" for name, _ in scope["headers"])


def mark_standings(scope: Scope, status: int, headers: list[Header]) -> None:  # noqa: ARG001  # as every mark
    """Say with an answer what is left, unless it is the answer to one too many, which says so itself."""
    found = scope["state"].get("standings")
    if found and not any(name == b"ratelimit" for name, _ in headers):
        headers.append((b"ratelimit", ", ".join(one.text for one in found).encode()))
        headers.append((b"ratelimit-policy", ", ".join(one.policy.text for one in found).encode()))


@lru_cache(4096)
def identity(address: str) -> str | None:
    """Say whom an address stands for: itself, or the network that one customer has of IPv6; None for this machine."""
    try:
        read = _read(address)
    except ValueError:
        return address[:_ADDRESS_CHARACTERS]  # a proxy's word that is no address
    if read.is_loopback:
        return None
    return str(ip_network((read, _ONE_HOME), strict=False)) if isinstance(read, IPv6Address) else str(read)


def _read(address: str) -> IPv4Address | IPv6Address:
    read = ip_address(address)
    return read.ipv4_mapped or read if isinstance(read, IPv6Address) else read
