"""Tell whoever started the service where it answers, where its data are, and what opens it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from service.keyring import LocalKey
from service.settings import Settings, is_loopback, variable

logger = logging.getLogger("dateline.announcing")

EXAMPLE = "/v1/timelines/syria-2013/events?datetime=2013-02&certainty=certain"
START_SECONDS = 60


def announce_once_answering(
    listener: socket.socket, settings: Settings, key: LocalKey | None, announce: Callable[[str], None]
) -> None:
    """Ask the service whether it lives, from a thread, and announce it when it says so.

    One question is enough: the port is taken already, and the question waits there until a server asks for it.
    """
    host, port = local_address(listener)
    text = addresses(host, port, settings, key)

    def ask() -> None:
        connection = HTTPConnection(host, port, timeout=START_SECONDS)
        try:
            connection.request("GET", "/health/live")
            if connection.getresponse().status == HTTPStatus.OK:
                announce(text)
        except (OSError, HTTPException):  # it was stopped, or did not start: that is told elsewhere
            logger.debug("the service did not answer")
        finally:
            connection.close()

    threading.Thread(target=ask, name="announce", daemon=True).start()


def local_address(listener: socket.socket) -> tuple[str, int]:
    """Name the host and port, the one that was really taken, by which this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104  # compared, not bound


def addresses(host: str, port: int, settings: Settings, key: LocalKey | None) -> str:
    """Write where to look."""
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if key is None:
        opens = "made by `dateline keys create`; without one nobody writes"
    else:
        opens = f"kept in {key.path.absolute()}"
        if key.made is not None:
            opens = f"{key.made}, shown this once and {opens}"
    return (
        f"Dateline is running; Ctrl-C stops it. Its data are kept in {kept_in(settings)}.\n"
        f"  page     {base}/\n"
        f"  docs     {base}/docs\n"
        f"  key      {opens}\n"
        f"  example  {base}{EXAMPLE}{reach(settings)}"
    )


def kept_in(settings: Settings) -> str:
    """Say where the data are."""
    return f"the database of {variable('database_url')}" if settings.database_url else str(settings.data.absolute())


def reach(settings: Settings) -> str:
    """Say who may read, where that is not only whoever is on this machine."""
    if is_loopback(settings.host):
        return ""
    readers = "whoever reaches it may read what is public" if settings.read == "open" else "reading needs a key, too"
    return f"\nIt listens on {settings.host}, beyond this machine: {readers}."
