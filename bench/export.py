"""An export of everything as NDJSON, read by a client that keeps nothing of it."""

from __future__ import annotations

import http.client
import time

from bench.contestants import Served
from bench.events import TIMELINE
from bench.usage import Figures

_PIECE_BYTES = 1 << 20


def take(served: Served, _seconds: float) -> Figures:
    """Read all of it, however long that takes; tells how many events it has, and how many came in a second."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.request("GET", f"/v1/timelines/{TIMELINE}/events", headers={"Accept": "application/x-ndjson"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"the export answered {answer.status}")
        lines = 0
        while piece := answer.read1(_PIECE_BYTES):
            lines += piece.count(b"\n")
    finally:
        connection.close()
    return {"answers": float(lines), "per_second": lines / (time.perf_counter() - began)}
