"""What the database needs to build the answers of its normalised tables, as a service without stored documents would.

The members are those of a stored document, but for the three that only parsing the date tells (`precision`,
`approximate`, `uncertain`); instants are written as PostgreSQL does. Both are in the building's favour.
"""

from __future__ import annotations

from uuid import UUID

from bench.literals import filled
from service.store.adapters import At
from service.store.query import Keyset

_EVENT = """
SELECT e.event_id AS id, t.slug AS timeline, e.title, e.summary, e.edtf AS "when",
 json_build_object(
  'start', json_build_object('earliest', CASE WHEN isfinite(e.start_earliest) THEN e.start_earliest END,
                             'latest', CASE WHEN isfinite(e.start_latest) THEN e.start_latest END),
  'end', json_build_object('earliest', CASE WHEN isfinite(e.end_earliest) THEN e.end_earliest END,
                           'latest', CASE WHEN isfinite(e.end_latest) THEN e.end_latest END)) AS bounds,
 e.status, e.status_reason, e.previously, e.kind,
 (SELECT coalesce(json_agg(json_build_object('actor', p.actor, 'name', p.name, 'role', p.role) ORDER BY p.position),
                  '[]')
   FROM event_participant p WHERE p.timeline_id = e.timeline_id AND p.event_id = e.event_id) AS participants,
 CASE WHEN e.place IS NOT NULL THEN json_build_object('place', e.place, 'name', e.place_name) END AS place,
 (SELECT coalesce(json_agg(p.topic ORDER BY p.position), '[]')
   FROM event_topic p WHERE p.timeline_id = e.timeline_id AND p.event_id = e.event_id) AS topics,
 (SELECT coalesce(json_agg(json_build_object(
    'id', c.claim_id, 'source', c.source, 'title', c.title, 'attributed_to', c.attributed_to, 'quote', c.quote,
    'asserts', json_build_object('status', c.asserts_status, 'when', c.asserts_edtf), 'reported_at', c.reported_at)
    ORDER BY c.position), '[]')
   FROM claim c WHERE c.timeline_id = e.timeline_id AND c.event_id = e.event_id) AS claims,
 (SELECT coalesce(json_agg(json_build_object('rel', l.rel, 'event', l.other_id) ORDER BY l.rel, l.other_id), '[]')
   FROM event_link l WHERE l.timeline_id = e.timeline_id AND l.event_id = e.event_id) AS links,
 e.version, e.reported_at, e.recorded_at, e.created_at
FROM event e JOIN timeline t ON t.timeline_id = e.timeline_id
WHERE e.timeline_id = %(timeline)s
"""
_ONE = f"SELECT row_to_json(built) FROM ({_EVENT} AND e.event_id = %(event)s) built"
_PAGE = f"""
SELECT coalesce(json_agg(built), '[]') FROM ({_EVENT} AND (e.start_earliest, e.event_id) > (%(start)s, %(event)s)
 ORDER BY e.start_earliest, e.event_id LIMIT %(limit)s) built
"""


def build_event(timeline: UUID, event: UUID) -> str:
    """Write the statement that builds an event."""
    return filled(_ONE, {"timeline": timeline, "event": event})


def build_page(timeline: UUID, after: Keyset, limit: int) -> str:
    """Write the statement that builds the page that follows an event."""
    values = {"timeline": timeline, "start": At(int(after.value)), "event": after.event_id, "limit": limit}
    return filled(_PAGE, values)
