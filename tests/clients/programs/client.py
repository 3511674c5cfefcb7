"""A program that uses the Python client which openapi-python-client generates; it prints what it met, as JSON.

Run as `python client.py ADDRESS KEY`. client.ts and client.go beside it do the same, and print the same.
"""

from __future__ import annotations

import json
import sys
from typing import TypeVar

from dateline_client import AuthenticatedClient
from dateline_client.api.events import amend_event, create_batch, create_event, list_events, put_event
from dateline_client.api.history import list_history
from dateline_client.api.timelines import create_timeline
from dateline_client.models import (
    BatchBody,
    BatchResult,
    Certainty,
    CreationBody,
    Event,
    EventBody,
    EventPage,
    EventPatch,
    EventStatus,
    HistoryPage,
    Problem,
    PutEventIfNoneMatch,
    Timeline,
    TimelineBody,
)

TIMELINE = "generated-python"
T = TypeVar("T")


def expect(kind: type[T], answer: object) -> T:
    """Narrow an answer to what it must be."""
    if not isinstance(answer, kind):
        raise TypeError(f"expected {kind.__name__}, got {answer}")
    return answer


def main(address: str, key: str) -> None:
    """Make a timeline and an event, find it, amend it, read its history, and meet three problems."""
    client = AuthenticatedClient(base_url=address, token=key)
    story = create_timeline.sync(client=client, body=TimelineBody(slug=TIMELINE, title="A story"))
    timeline = expect(Timeline, story).slug

    body = EventBody(title="They meet", when="2013-02", status=EventStatus.PLANNED)
    created = create_event.sync_detailed(timeline, client=client, body=body)
    event, tag = expect(Event, created.parsed), created.headers["ETag"]

    def found(certainty: Certainty) -> int:
        page = list_events.sync(timeline, client=client, datetime_="2013-02-25", certainty=certainty)
        return len(expect(EventPage, page).items)

    before = [found(Certainty.POSSIBLE), found(Certainty.CERTAIN)]
    patch = EventPatch(when="2013-02-25", summary=None, reason="The day was named.")
    amended = expect(Event, amend_event.sync(timeline, event.id, client=client, body=patch, if_match=tag))
    after = [found(Certainty.POSSIBLE), found(Certainty.CERTAIN)]

    history = expect(HistoryPage, list_history.sync(timeline, event.id, client=client))
    stale = expect(Problem, amend_event.sync(timeline, event.id, client=client, body=patch, if_match=tag))
    put = put_event.sync(timeline, event.id, client=client, body=body, if_none_match=PutEventIfNoneMatch.VALUE_0)
    taken = expect(Problem, put)
    odd = EventBody(title="They meet", when="2013-02-30", status=EventStatus.PLANNED)
    refused = expect(Problem, create_event.sync(timeline, client=client, body=odd))
    batch = BatchBody(operations=[CreationBody(operation="create", body=body)])
    done = expect(BatchResult, create_batch.sync(timeline, client=client, body=batch))

    met = {
        "status": str(amended.status),
        "dates": [amended.previously[0].when, amended.when],
        "found": [before, after],
        "history": [[one.version, one.reason] for one in history.items],
        "stale": [stale.status, stale.type_, stale.current["version"] if stale.current else None],
        "taken": [taken.status, taken.type_, taken.current["version"] if taken.current else None],
        "refused": [refused.status, refused.type_, [one.pointer for one in refused.errors or []]],
        "batch": [one.status for one in done.items],
    }
    sys.stdout.write(json.dumps(met))


if __name__ == "__main__":
    main(*sys.argv[1:])
