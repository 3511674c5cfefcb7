"""What a worker sends of what is there no longer."""

from __future__ import annotations

from uuid import UUID

from service.purging import purge
from tests.factories import make_event, path_of, tag_of
from tests.worker.conftest import Bench


def test_what_was_purged_before_it_was_sent_is_told_of_without_a_document(bench: Bench) -> None:
    hook = bench.make_hook()
    event = make_event(bench.client, hook["events"], title="Unrepeatable")
    bench.client.patch(path_of(event), {"summary": "Unrepeatable"}, tag_of(event))
    purge(bench.url, hook["timeline"], UUID(event["id"]))
    bench.work()
    received = sorted(bench.receiver.received, key=lambda one: (one.item["version"], one.item["operation"]))
    told = [(one.item["operation"], one.item["version"], one.item["document"]) for one in received]
    assert told == [("created", 1, None), ("amended", 2, None), ("purged", 2, None)]
    assert not any(b"Unrepeatable" in one.body for one in received)
