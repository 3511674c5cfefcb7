"""The check of what belongs together sees each part that is missing, planted one at a time."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from tests.client import connected
from tests.factories import amend, make_actor, make_event, make_source, make_timeline, path_of, tag_of
from tests.prove.wholeness import find_partial

MISSING: dict[str, tuple[LiteralString, dict[str, int]]] = {
    "an event": (
        "DELETE FROM event WHERE title = 'Claimed'",
        {"present states without their event": 1, "wrong buckets": 1},
    ),
    "a present state": (
        "DELETE FROM event_state WHERE upper_inf(known) AND document->>'title' = 'Amended'",
        {"events without their present state": 1, "changes without their state": 1, "facets of no state": 1},
    ),
    "a document": (
        "UPDATE event SET document = (document::jsonb || '{\"title\": \"Other\"}')::json WHERE title = 'Amended'",
        {"events without their present state": 1},
    ),
    "a state in between": (
        "DELETE FROM event_state WHERE version = 1 AND document->>'title' = 'Amended'",
        {"events whose versions have gaps": 1, "changes without their state": 1, "facets of no state": 1},
    ),
    "a tombstone": (
        "DELETE FROM event_state WHERE document IS NULL",
        {"changes without their state": 1},
    ),
    "a change": (
        "DELETE FROM change WHERE operation = 'deleted'",
        {"states without exactly one change": 1},
    ),
    "only one of a change": (
        """INSERT INTO change (timeline_id, epoch, transaction_id, operation, event_id, state, version, recorded_at)
           SELECT timeline_id, epoch, transaction_id, operation, event_id, state, version, recorded_at FROM change
           WHERE operation = 'deleted'""",
        {"states without exactly one change": 1},
    ),
    "a facet": (
        "DELETE FROM state_facet WHERE facet = 'topic:claims'",
        {"facets that are missing": 1},
    ),
    "what is known of a facet": (
        "UPDATE state_facet SET known = 'empty' WHERE facet = 'topic:claims'",
        {"facets that are missing": 1, "facets of no state": 1},
    ),
    "a claim": ("DELETE FROM claim", {"claims that differ": 1}),
    "a topic": ("DELETE FROM event_topic WHERE topic = 'claims'", {"topics that differ": 1}),
    "a participant": ("DELETE FROM event_participant", {"participants that differ": 1}),
    "an event in the histogram": (
        "DELETE FROM histogram_change WHERE ctid = (SELECT min(ctid) FROM histogram_change)",
        {"wrong buckets": 1},
    ),
}


@pytest.fixture
def written(database_url: str) -> str:
    """Write an event with claims and topics, one that was amended, and one that was deleted."""
    with connected(database_url) as client:
        events = make_timeline(client)
        parts = {"claims": [{"source": make_source(client)}], "participants": [{"actor": make_actor(client)}]}
        make_event(client, events, title="Claimed", topics=["claims"], **parts)
        amend(client, make_event(client, events, title="Amended"), title="Amended", when="2014", topics=["news"])
        deleted = make_event(client, events)
        assert client.delete(path_of(deleted), tag_of(deleted)).status_code == 204
    return database_url


def test_nothing_is_found_where_all_is_whole(written: str) -> None:
    assert find_partial(written) == {}


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_missing_is_found(written: str, missing: str) -> None:
    statement, expected = MISSING[missing]
    with psycopg.connect(written) as connection:
        connection.execute(statement)
    found = find_partial(written)
    assert len(found) == len(expected), found
    for name in expected:
        assert any(one.startswith(name) for one in found), found
