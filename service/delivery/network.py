"""Connections to addresses that were looked at first: a name is resolved once, judged, and connected to as judged.

Between a check of a name and a second look-up its owner could move it to an inner address (DNS rebinding), so there
is no second one.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

import httpcore

from service.delivery.addresses import is_public

Address = IPv4Address | IPv6Address
# Gives the addresses of a name, as text, in the order in which they are to be tried. Raises OSError.
Resolve = Callable[[str, int], Awaitable[list[str]]]

_MOST_TRIED_ADDRESSES = 3


class AddressRefusedError(Exception):
    """Say that a host has an address to which nothing is sent."""


async def resolve(host: str, port: int) -> list[str]:
    """Look up a host's addresses in the way of the machine. Raises OSError.

    In a thread that nobody waits for: a look-up cannot be broken off, and must not hold up the end of the process.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str] | None, error: OSError | None) -> None:
        if found.done():
            return
        if addresses is None:
            found.set_exception(error or OSError())
        else:
            found.set_result(addresses)

    def look_up() -> None:
        addresses: list[str] | None = None
        failure: OSError | None = None
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError) as error:
            failure = error if isinstance(error, OSError) else OSError()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, addresses, failure)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    return await found


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """The network as a try of a webhook sees it: only public addresses, unless private ones are allowed.

    Used as a block, at whose end every connection is closed.
    """

    def __init__(self, *, allow_private: bool, resolve: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection: httpcore leaves open one whose TLS handshake was broken off."""
        for stream in self._opened:
            await stream.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses.

        Raises AddressRefusedError if any of them is not allowed, OSError where there is none, httpcore.ConnectError or
        httpcore.ConnectTimeout.
        """
        addresses = [_parsed(one) for one in await self._resolve(host, port)]
        if not addresses:
            raise OSError
        if not self._allow_private and not all(map(is_public, addresses)):
            raise AddressRefusedError
        tried = addresses[:_MOST_TRIED_ADDRESSES]
        share = None if timeout is None else timeout / len(tried)

        async def connect(address: Address) -> httpcore.AsyncNetworkStream:
            stream = await self._network.connect_tcp(str(address), port, share, local_address, socket_options)
            self._opened.append(stream)
            return stream

        for address in tried[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await connect(address)
        return await connect(tried[-1])

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002  # httpcore's
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  # httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002  # httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: nothing is sent into a socket of this machine."""
        raise AddressRefusedError

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def _parsed(text: str) -> Address:
    """Read an address as the resolver gives it. Raises AddressRefusedError for anything else."""
    try:
        return ip_address(text)
    except ValueError:
        raise AddressRefusedError from None
