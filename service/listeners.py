"""Sockets that take connections, and how several processes share them evenly.

Processes that accept from one socket do not take turns: the kernel wakes whoever asked last, who is the one with the
least to do a moment ago, and so one of two may have fifteen of sixteen clients. Where a port may be shared by several
sockets, the kernel spreads connections over them (`SO_REUSEPORT`, Linux). So each process has some of its own beside
the one that was opened before all else: that one holds whoever comes while no process is ready yet. What it costs: whom
the kernel gave to a process waits for that one, though another is idle, and is cut off if it is killed before it took
him.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any, cast

BACKLOG = 2048
UNTAKEN_MILLISECONDS = 60_000  # after which a connection is cut whose client takes nothing of what was sent
_OWN = 8  # so many of its own has each process: the one that all share gets the less
_SPREADS = sys.platform.startswith("linux")


def listen(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """Take a port, 0 being any that is free; `is_shared` lets processes of the same user take it, too.

    Raises OSError, if another service has it too.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    is_shared = is_shared and _SPREADS
    if is_shared and port:
        _open(family, address).close()  # who may share it would not notice that it is taken
    return _open(family, address, is_shared=is_shared)


def _open(
    family: int,
    address: Any,  # noqa: ANN401  # of any family
    *,
    is_shared: bool = False,
    is_ready: bool = True,
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_MILLISECONDS)
        listener.bind(address)
        if is_ready:
            listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class _Own:
    """What becomes a socket of its own in each process that it is sent to."""

    def __init__(self, beside: socket.socket) -> None:
        self._given = (beside.family, beside.getsockname())

    def __reduce__(self) -> tuple[Callable[..., socket.socket], tuple[Any, ...]]:
        return _open_own, self._given


def _open_own(family: int, address: Any) -> socket.socket:  # noqa: ANN401  # as above
    # the server listens once it can answer: from then on the kernel gives it connections
    return _open(family, address, is_shared=True, is_ready=False)


def spread(listeners: list[socket.socket]) -> list[socket.socket]:
    """Give what to send to each process for it to take connections of these: they themselves, and some of its own."""
    if not _SPREADS:
        return listeners
    own = [_Own(listener) for listener in listeners for _ in range(_OWN)]
    return [*listeners, *cast("list[socket.socket]", own)]  # which they are where they arrive
