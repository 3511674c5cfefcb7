"""Whether what belongs together is all there: no event without its state, change, facets, parts or histogram.

It looks at the tables themselves, and holds for any database that the service has written, whatever became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

import psycopg

from service.recounting import check_histograms

# Each selects what must not be there.
_QUERIES: Mapping[str, LiteralString] = {
    "events without their present state": """
        SELECT FROM event AS e WHERE NOT EXISTS (
            SELECT FROM event_state AS s
            WHERE (s.timeline_id, s.event_id, s.version) = (e.timeline_id, e.event_id, e.version)
              AND upper_inf(s.known) AND s.document::text = e.document::text)""",
    "present states without their event": """
        SELECT FROM event_state AS s WHERE upper_inf(s.known) AND s.document IS NOT NULL AND NOT EXISTS (
            SELECT FROM event AS e
            WHERE (e.timeline_id, e.event_id, e.version) = (s.timeline_id, s.event_id, s.version))""",
    "events whose versions have gaps": """
        SELECT FROM event_state GROUP BY timeline_id, event_id
        HAVING min(version) <> 1 OR max(version) <> count(*)""",
    "states without exactly one change": """
        SELECT FROM event_state AS s WHERE 1 <> (
            SELECT count(*) FROM change AS c
            WHERE (c.timeline_id, c.event_id, c.state) = (s.timeline_id, s.event_id, s.version))""",
    "changes without their state": """
        SELECT FROM change AS c WHERE NOT EXISTS (
            SELECT FROM event_state AS s
            WHERE (s.timeline_id, s.event_id, s.version) = (c.timeline_id, c.event_id, c.state))""",
    "facets that are missing": """
        SELECT timeline_id, event_id, version, unnest(facets), known FROM event_state
        EXCEPT ALL SELECT timeline_id, event_id, version, facet, known FROM state_facet""",
    "facets of no state": """
        SELECT timeline_id, event_id, version, facet, known FROM state_facet
        EXCEPT ALL SELECT timeline_id, event_id, version, unnest(facets), known FROM event_state""",
    "claims that differ from the document": """
        (SELECT event_id, (one->>'id')::uuid, n - 1
           FROM event, json_array_elements(document->'claims') WITH ORDINALITY AS each(one, n)
         EXCEPT ALL SELECT event_id, claim_id, position FROM claim)
        UNION ALL
        (SELECT event_id, claim_id, position FROM claim
         EXCEPT ALL SELECT event_id, (one->>'id')::uuid, n - 1
           FROM event, json_array_elements(document->'claims') WITH ORDINALITY AS each(one, n))""",
    "topics that differ from the document": """
        (SELECT event_id, topic, n - 1
           FROM event, json_array_elements_text(document->'topics') WITH ORDINALITY AS each(topic, n)
         EXCEPT ALL SELECT event_id, topic, position FROM event_topic)
        UNION ALL
        (SELECT event_id, topic, position FROM event_topic
         EXCEPT ALL SELECT event_id, topic, n - 1
           FROM event, json_array_elements_text(document->'topics') WITH ORDINALITY AS each(topic, n))""",
    "participants that differ from the document": """
        (SELECT event_id, one->>'actor', n - 1
           FROM event, json_array_elements(document->'participants') WITH ORDINALITY AS each(one, n)
         EXCEPT ALL SELECT event_id, actor, position FROM event_participant)
        UNION ALL
        (SELECT event_id, actor, position FROM event_participant
         EXCEPT ALL SELECT event_id, one->>'actor', n - 1
           FROM event, json_array_elements(document->'participants') WITH ORDINALITY AS each(one, n))""",
}


def find_partial(url: str) -> dict[str, int]:
    """Count what lacks a part, or is a part of nothing, by what it is; empty where all is whole."""
    found = {}
    with psycopg.connect(url) as connection:
        for name, query in _QUERIES.items():
            found[name] = len(connection.execute(query).fetchall())
    found |= {f"wrong buckets of the histogram of {slug}": wrong for slug, wrong in check_histograms(url).items()}
    return {name: count for name, count in found.items() if count}
