"""What two versions of the service are asked, found by asking: of a server nothing is known but its HTTP interface."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.contestants import CONNECTIONS, Served, get
from bench.events import TIMELINE
from bench.exchange import Request
from bench.questions import COMMON

_TIMELINE = f"/v1/timelines/{TIMELINE}"
_EVENTS = f"{_TIMELINE}/events"
_MONTHS = [f"{1995 + number}-{number % 12 + 1:02}" for number in range(20)]
_BODY = json.dumps({"title": "A write", "when": "2013-02-25", "status": "occurred"})


@dataclass(frozen=True, slots=True)
class Query:
    """Requests that are answered alike, and how they are sent."""

    name: str
    requests: Sequence[Request]
    status: int = 200
    connections: int = CONNECTIONS


def list_queries(served: Served, key: str | None = None) -> Iterator[Query]:
    """Yield what is asked of a server; with a key, what is written, too."""
    pages = [_page(served, f"{_EVENTS}?datetime={month}/..") for month in _MONTHS]
    items = [page["items"][0] for page in pages]
    ones = [Request(f"{_EVENTS}/{item['id']}") for item in items]
    tags = [get(served, one).headers["etag"] for one in ones]
    known_at = statistics.median_low(item["reported_at"] for page in pages for item in page["items"])
    yield Query("one event", ones)
    held = [Request(one.path, {"If-None-Match": tag}) for one, tag in zip(ones, tags, strict=True)]
    yield Query("one event, unchanged", held, status=304)
    yield Query("one event's history", [Request(f"{one.path}/history") for one in ones])
    yield Query("page, by cursor", [Request(f"{_EVENTS}?cursor={page['next']}&datetime={month}/..")
                                    for page, month in zip(pages, _MONTHS, strict=True)])  # fmt: skip
    yield _asking("page, a month", "datetime={}")
    yield Query("page, a month, 16 clients", _asking("", "datetime={}").requests, connections=16)
    yield _asking("page, a month, a common actor", f"datetime={{}}&actor={COMMON['actor']}")
    yield _asking("page, a month, counted", "datetime={}&count=exact")
    yield _asking("page, a month, as known then", f"datetime={{}}&known_at={known_at}")
    yield Query("histogram by year", [Request(f"{_TIMELINE}/histogram?by=year&datetime=1900/2030")])
    yield Query("changes, newest", [Request(f"{_TIMELINE}/changes?after=latest")])
    lines = [Request(f"{_EVENTS}?datetime={one}&format=ndjson") for one in _MONTHS]
    yield Query("export of a month", lines, connections=1)  # each process admits few
    if key is not None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        yield Query("create an event", [Request(_EVENTS, headers, "POST", _BODY)], status=201)


def _asking(name: str, form: str) -> Query:
    return Query(name, [Request(f"{_EVENTS}?{form.format(month)}") for month in _MONTHS])


def _page(served: Served, path: str) -> dict[str, Any]:
    answer = get(served, Request(path))
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}: {answer.body[:300]!r}")
    page: dict[str, Any] = json.loads(answer.body)
    return page
