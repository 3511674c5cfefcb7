"""What must never be is refused by the database itself, whoever writes: each constraint, by its name."""

# ruff: noqa: S608  # the statements are made of this file's own words

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

TIMELINE = "00000000-0000-4000-8000-00000000000a"
EVENT = "00000000-0000-4000-8000-00000000000b"
OTHER = "00000000-0000-4000-8000-00000000000c"
NOBODY = "00000000-0000-4000-8000-00000000000d"
KEY = f"'{TIMELINE}', '{EVENT}'"
SPAN = "'2013-02-25Z', '2013-02-26Z'"

VALID = f"""
INSERT INTO kept_answer VALUES (sha256('a'), sha256('b'), 201, '[]', '{{}}', now());
INSERT INTO timeline VALUES ('{TIMELINE}', 'story', 'A story', NULL, 'public', 1, now());
INSERT INTO actor (slug, name, kind, same_as, version) VALUES ('kerry', 'Kerry', 'person', '{{}}', 1);
INSERT INTO actor_alias VALUES ('kerry', 0, 'Secretary');
INSERT INTO place (slug, name, country, latitude, longitude, same_as, version)
    VALUES ('moscow', 'Moscow', 'RU', 55.75, 37.6, '{{}}', 1);
INSERT INTO source (slug, title, version) VALUES ('paper', 'A paper', 1);
INSERT INTO event (timeline_id, event_id, title, edtf, start_earliest, start_latest, end_earliest, end_latest, pieces,
        every_piece, status, kind, place, place_name, previously, version, reported_at, recorded_at, created_at, search,
        document)
    SELECT '{TIMELINE}', id::uuid, 'Talks', '2013-02-25', '2013-02-25Z', '2013-02-25 23:59:59.999999Z',
        '2013-02-25 00:00:00.000001Z', '2013-02-26Z', NULL, false, 'planned', 'event', 'moscow', 'Moscow', '[]', 1,
        now(), now(), now(), '', '{{}}'
    FROM unnest(ARRAY['{EVENT}', '{OTHER}']) AS id;
INSERT INTO event_participant (timeline_id, event_id, position, actor, name, start_earliest, end_latest)
    VALUES ({KEY}, 0, 'kerry', 'Kerry', {SPAN});
INSERT INTO event_topic (timeline_id, event_id, position, topic, start_earliest, end_latest)
    VALUES ({KEY}, 0, 'war', {SPAN});
INSERT INTO claim (timeline_id, event_id, claim_id, position, source, title, reported_at, start_earliest, end_latest)
    VALUES ({KEY}, '{OTHER}', 0, 'paper', 'A paper', now(), {SPAN});
INSERT INTO event_link VALUES ({KEY}, 'causes', '{OTHER}');
INSERT INTO event_state (timeline_id, event_id, version, known, reported_at, recorded_at, supersedes, author,
        every_piece, facets)
    VALUES ({KEY}, 1, '[2013-02-20Z,)', '2013-02-20Z', now(), false, 'x', false, '{{}}');
INSERT INTO state_facet (timeline_id, facet, start_earliest, event_id, version, end_latest, known, gapped)
    VALUES ('{TIMELINE}', 'kind:meeting', '2013-02-25Z', '{EVENT}', 1, '2013-02-26Z', '[2013-02-20Z,)', false);
INSERT INTO change (timeline_id, epoch, transaction_id, sequence, operation, event_id, state, version, recorded_at)
    OVERRIDING SYSTEM VALUE VALUES ('{TIMELINE}', 1, 1, 1, 'deleted', '{EVENT}', 1, 1, now());
INSERT INTO feed_floor VALUES ('{TIMELINE}', 1, 1, 1);
INSERT INTO histogram VALUES ('{TIMELINE}', 'day', 1, 1, 1, 1, 1);
INSERT INTO histogram_change (timeline_id, sequence, events, start_earliest, start_latest, end_earliest, end_latest,
        every_piece) OVERRIDING SYSTEM VALUE VALUES ('{TIMELINE}', 1, 1, now(), now(), now(), now(), false);
INSERT INTO api_key VALUES ('dl_one', sha256('one'), 'x', '{{write}}', '{{story}}', now(), 'x');
INSERT INTO audit_entry VALUES ('{EVENT}', now(), 'x', NULL, 'x', 'x', '/', 201, NULL);
INSERT INTO webhook VALUES ({KEY}, 'https://a.example', NULL, '{{}}', '{{}}', true, NULL, '{EVENT}', 1, 1, 1, 1, now());
INSERT INTO webhook_secret VALUES ({KEY}, '{OTHER}', decode(repeat('ab', 24), 'hex'), now(), NULL);
INSERT INTO webhook_delivery (timeline_id, webhook_id, delivery_id, epoch, transaction_id, sequence, operation,
        event_id, event_state, event_version, recorded_at, state, tries, due_at)
    VALUES ({KEY}, '{OTHER}', 1, 1, 1, 'created', '{EVENT}', 1, 1, now(), 'pending', 0, now());
"""

STATE = (
    "INSERT INTO event_state (timeline_id, event_id, version, known, reported_at, recorded_at, supersedes, author,"
    f" every_piece, facets, document) VALUES ({KEY}, {{version}}, '{{known}}', '2013-02-20Z', now(), false, 'x', false,"
    " '{{}}', {document})"
)
CHANGE = (
    "INSERT INTO change (timeline_id, epoch, transaction_id, sequence, operation, event_id, state, version,"
    f" recorded_at) OVERRIDING SYSTEM VALUE VALUES ('{TIMELINE}', 1, 1, {{sequence}}, '{{operation}}', '{EVENT}', 1, 1,"
    " now())"
)

# By constraint: statements that it must refuse, each on its own, on the rows above.
REFUSED: dict[str, tuple[str, ...]] = {
    "timeline_pkey": (f"INSERT INTO timeline VALUES ('{TIMELINE}', 'other', 'x', NULL, 'public', 1, now())",),
    "timeline_slug_key": (f"INSERT INTO timeline VALUES ('{NOBODY}', 'story', 'x', NULL, 'public', 1, now())",),
    "timeline_slug_check": tuple(
        f"UPDATE timeline SET slug = '{slug}'" for slug in ("", "A", "a b", "-a", "a-", "a--b", "é", "a" * 81, "a\n")
    ),
    "timeline_visibility_check": ("UPDATE timeline SET visibility = 'hidden'",),
    "actor_pkey": ("INSERT INTO actor VALUES ('kerry', 'x', 'person', '{}', 1)",),
    "actor_slug_check": ("INSERT INTO actor VALUES ('Kerry', 'x', 'person', '{}', 1)",),
    "actor_kind_check": ("UPDATE actor SET kind = 'robot'",),
    "actor_alias_pkey": ("INSERT INTO actor_alias VALUES ('kerry', 0, 'x')",),
    "actor_alias_actor_alias_key": ("INSERT INTO actor_alias VALUES ('kerry', 1, 'Secretary')",),
    "actor_alias_actor_fkey": ("INSERT INTO actor_alias VALUES ('nobody', 0, 'x')",),
    "place_pkey": ("INSERT INTO place (slug, name, same_as, version) VALUES ('moscow', 'x', '{}', 1)",),
    "place_slug_check": ("INSERT INTO place (slug, name, same_as, version) VALUES ('Moscow', 'x', '{}', 1)",),
    "place_country_check": tuple(f"UPDATE place SET country = '{code}'" for code in ("ru", "RUS", "R", "", "R1")),
    "place_latitude_check": tuple(f"UPDATE place SET latitude = '{n}'" for n in ("90.001", "-91", "NaN", "Infinity")),
    "place_longitude_check": tuple(f"UPDATE place SET longitude = '{n}'" for n in ("180.1", "-181", "NaN")),
    "place_coordinates_check": ("UPDATE place SET latitude = NULL", "UPDATE place SET longitude = NULL"),
    "source_pkey": ("INSERT INTO source (slug, title, version) VALUES ('paper', 'x', 1)",),
    "source_slug_check": ("INSERT INTO source (slug, title, version) VALUES ('A paper', 'x', 1)",),
    "api_key_pkey": ("INSERT INTO api_key SELECT * FROM api_key",),
    "api_key_hash_key": ("INSERT INTO api_key SELECT 'dl_two', hash, 'x', '{read}', NULL, now(), 'x' FROM api_key",),
    "api_key_length_check": ("UPDATE api_key SET hash = 'the key itself'",),
    "api_key_scopes_check": ("UPDATE api_key SET scopes = '{}'", "UPDATE api_key SET scopes = '{root}'"),
    "api_key_unlimited_admin_check": ("UPDATE api_key SET scopes = '{read,admin}'",),
    "api_key_timelines_check": ("UPDATE api_key SET timelines = '{}'",),
    "audit_entry_pkey": ("INSERT INTO audit_entry SELECT * FROM audit_entry",),
    "kept_answer_pkey": ("INSERT INTO kept_answer SELECT * FROM kept_answer",),
    "kept_answer_length_check": tuple(f"UPDATE kept_answer SET {name} = 'short'" for name in ("digest", "fingerprint")),
    "kept_answer_status_check": ("UPDATE kept_answer SET status = 404",),
    "signing_key_pkey": ("INSERT INTO signing_key SELECT * FROM signing_key",),
    "signing_key_length_check": ("UPDATE signing_key SET key = 'short'",),
    "event_pkey": (f"UPDATE event SET event_id = '{OTHER}' WHERE event_id = '{EVENT}'",),
    "event_timeline_id_fkey": (f"DELETE FROM timeline WHERE timeline_id = '{TIMELINE}'",),
    "event_place_fkey": ("DELETE FROM place", f"UPDATE event SET place = 'nowhere' WHERE event_id = '{OTHER}'"),
    "event_status_check": ("UPDATE event SET status = 'done'",),
    "event_start_check": ("UPDATE event SET start_latest = start_earliest - interval '1 us'",),
    "event_end_check": ("UPDATE event SET end_earliest = end_latest + interval '1 us'",),
    "event_end_after_start_check": (
        "UPDATE event SET start_latest = start_earliest, end_earliest = start_earliest, end_latest = start_earliest",
        (
            "UPDATE event SET start_earliest = 'infinity', start_latest = 'infinity', end_earliest = 'infinity',"
            " end_latest = 'infinity'"
        ),
    ),
    "event_end_earliest_after_start_check": ("UPDATE event SET end_earliest = start_earliest",),
    "event_start_latest_before_end_check": ("UPDATE event SET start_latest = end_latest",),
    "event_pieces_span_possible_check": tuple(
        f"UPDATE event SET pieces = '{pieces}'"
        for pieces in (
            "{}",
            "{[2013-02-25Z,2013-02-25 12:00Z)}",
            "{[2013-02-24Z,2013-02-26Z)}",
            "{[2013-02-25Z,)}",
            "{(,2013-02-26Z)}",
        )
    ),
    "event_every_piece_check": ("UPDATE event SET every_piece = true",),
    "event_place_credited_check": ("UPDATE event SET place = NULL", "UPDATE event SET place_name = NULL"),
    "event_version_check": ("UPDATE event SET version = 0",),
    "event_recorded_after_created_check": ("UPDATE event SET created_at = recorded_at + interval '1 us'",),
    "event_participant_pkey": (
        (
            f"INSERT INTO event_participant (timeline_id, event_id, position, actor, name, start_earliest, end_latest)"
            f" VALUES ({KEY}, 0, 'kerry', 'x', {SPAN})"
        ),
    ),
    "event_participant_actor_fkey": ("DELETE FROM actor", "UPDATE event_participant SET actor = 'nobody'"),
    "event_participant_timeline_id_event_id_fkey": (f"UPDATE event_participant SET event_id = '{NOBODY}'",),
    "event_topic_pkey": (
        (
            f"INSERT INTO event_topic (timeline_id, event_id, position, topic, start_earliest, end_latest)"
            f" VALUES ({KEY}, 1, 'war', {SPAN})"
        ),
    ),
    "event_topic_timeline_id_event_id_fkey": (f"UPDATE event_topic SET event_id = '{NOBODY}'",),
    "claim_pkey": (
        (
            "INSERT INTO claim (timeline_id, event_id, claim_id, position, source, title, reported_at, start_earliest,"
            f" end_latest) VALUES ({KEY}, '{OTHER}', 1, 'paper', 'x', now(), {SPAN})"
        ),
    ),
    "claim_source_fkey": ("DELETE FROM source", "UPDATE claim SET source = 'nothing'"),
    "claim_timeline_id_event_id_fkey": (f"UPDATE claim SET event_id = '{NOBODY}'",),
    "claim_asserts_status_check": ("UPDATE claim SET asserts_status = 'done'",),
    "event_link_pkey": (f"INSERT INTO event_link VALUES ({KEY}, 'causes', '{OTHER}')",),
    "event_link_rel_check": ("UPDATE event_link SET rel = 'likes'",),
    "event_link_not_to_itself_check": (f"INSERT INTO event_link VALUES ({KEY}, 'causes', '{EVENT}')",),
    "event_link_timeline_id_event_id_fkey": (f"UPDATE event_link SET event_id = '{NOBODY}'",),
    "event_link_timeline_id_other_id_fkey": (
        f"UPDATE event_link SET other_id = '{NOBODY}'",
        f"DELETE FROM event WHERE event_id = '{OTHER}'",
    ),
    "event_state_pkey": (STATE.format(version=1, known="empty", document="NULL"),),
    "event_state_timeline_id_fkey": (f"UPDATE event_state SET timeline_id = '{NOBODY}'",),
    "event_state_known_excl": tuple(
        STATE.format(version=2, known=known, document="NULL")
        for known in ("[2013-02-20Z,)", "[2013-02-20Z,2013-02-21Z)")
    ),
    "event_state_status_check": ("UPDATE event_state SET status = 'done'",),
    "event_state_known_from_reported_check": ("UPDATE event_state SET reported_at = '2013-02-19Z'",),
    "event_state_tombstone_check": (
        "UPDATE event_state SET document = '{}'",
        "UPDATE event_state SET start_earliest = '2013-02-25Z'",
    ),
    "state_facet_pkey": (
        (
            "INSERT INTO state_facet (timeline_id, facet, start_earliest, event_id, version, end_latest, known, gapped)"
            " SELECT timeline_id, facet, start_earliest, event_id, version, end_latest, known, gapped FROM state_facet"
        ),
    ),
    "state_facet_timeline_id_fkey": (f"UPDATE state_facet SET timeline_id = '{NOBODY}'",),
    "event_state_version_check": (STATE.format(version=0, known="empty", document="NULL"),),
    "change_pkey": (CHANGE.format(sequence=1, operation="deleted"),),
    "change_timeline_id_fkey": (f"UPDATE change SET timeline_id = '{NOBODY}'",),
    "change_operation_check": (CHANGE.format(sequence=2, operation="guessed"),),
    "histogram_pkey": (f"INSERT INTO histogram VALUES ('{TIMELINE}', 'day', 1, 2, 2, 2, 2)",),
    "histogram_unit_check": ("UPDATE histogram SET unit = 'hour'",),
    "histogram_change_pkey": ("INSERT INTO histogram_change OVERRIDING SYSTEM VALUE SELECT * FROM histogram_change",),
    "histogram_change_events_check": ("UPDATE histogram_change SET events = 0",),
    "feed_floor_pkey": (f"INSERT INTO feed_floor VALUES ('{TIMELINE}', 1, 1, 1)",),
    "webhook_pkey": ("INSERT INTO webhook SELECT * FROM webhook",),
    "webhook_timeline_id_fkey": (
        (
            f"INSERT INTO webhook SELECT '{NOBODY}', webhook_id, url, description, operations, facets, enabled,"
            " disabled_reason, token, epoch, transaction_id, sequence, version, created_at FROM webhook"
        ),
    ),
    "webhook_operations_check": ("UPDATE webhook SET operations = '{guessed}'",),
    "webhook_enabled_check": ("UPDATE webhook SET enabled = false", "UPDATE webhook SET disabled_reason = 'x'"),
    "webhook_version_check": ("UPDATE webhook SET version = 0",),
    "webhook_secret_pkey": ("INSERT INTO webhook_secret SELECT * FROM webhook_secret",),
    "webhook_secret_timeline_id_webhook_id_fkey": (f"UPDATE webhook_secret SET webhook_id = '{NOBODY}'",),
    "webhook_secret_length_check": ("UPDATE webhook_secret SET key = 'short'",),
    "webhook_delivery_pkey": ("INSERT INTO webhook_delivery SELECT * FROM webhook_delivery",),
    "webhook_delivery_position_key": (
        (
            "INSERT INTO webhook_delivery (timeline_id, webhook_id, delivery_id, epoch, transaction_id, sequence,"
            " operation, event_id, event_state, event_version, recorded_at, state, tries, due_at)"
            f" SELECT timeline_id, webhook_id, '{NOBODY}', epoch, transaction_id, sequence, operation, event_id,"
            " event_state, event_version, recorded_at, state, tries, due_at FROM webhook_delivery"
        ),
    ),
    "webhook_delivery_timeline_id_webhook_id_fkey": (f"UPDATE webhook_delivery SET webhook_id = '{NOBODY}'",),
    "webhook_delivery_operation_check": ("UPDATE webhook_delivery SET operation = 'guessed'",),
    "webhook_delivery_state_check": ("UPDATE webhook_delivery SET state = 'lost', due_at = NULL, settled_at = now()",),
    "webhook_delivery_due_check": ("UPDATE webhook_delivery SET due_at = NULL",),
    "webhook_delivery_settled_check": ("UPDATE webhook_delivery SET settled_at = now()",),
    "feed_pkey": ("INSERT INTO feed SELECT * FROM feed",),
    "feed_one_row_check": ("UPDATE feed SET one = false",),
}


@pytest.fixture(scope="module")
def rows(module_database_url: str) -> Iterator[psycopg.Connection]:
    """Answer a connection to a database with one row of everything."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(VALID)
        yield connection


@pytest.mark.parametrize(("name", "statement"), [(name, one) for name, all_ in REFUSED.items() for one in all_])
def test_a_constraint_refuses_what_it_is_named_for(rows: psycopg.Connection, name: str, statement: str) -> None:
    with pytest.raises(errors.IntegrityError) as refused, rows.transaction():
        rows.execute(statement.encode())
    assert refused.value.diag.constraint_name == name


def test_no_constraint_is_left_out(rows: psycopg.Connection) -> None:
    there = rows.execute(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND contype IN ('c', 'f', 'p', 'u', 'x') AND conrelid <> 'alembic_version'::regclass"
    ).fetchall()
    assert {str(name) for (name,) in there} == REFUSED.keys()


def test_what_the_database_derives_nobody_sets(rows: psycopg.Connection) -> None:
    derived = rows.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE is_generated = 'ALWAYS' AND table_schema = 'public'"
    ).fetchall()
    assert ("event", "possible") in derived
    for table, column in derived:
        with pytest.raises(errors.GeneratedAlways), rows.transaction():
            rows.execute(f"UPDATE {table} SET {column} = NULL".encode())


@pytest.mark.parametrize(
    ("start", "end", "possible"),
    [
        ("2013-02-25Z", "2013-02-26Z", "[2013-02-25,2013-02-26)"),
        ("-infinity", "2013-02-26Z", "(,2013-02-26)"),
        ("2013-02-25Z", "infinity", "[2013-02-25,)"),
        ("-infinity", "infinity", "(,)"),
        ("0044-03-15Z BC", "2013-02-26Z", '["0044-03-15 BC",2013-02-26)'),
    ],
)
def test_the_possible_range_follows_the_bounds(rows: psycopg.Connection, start: str, end: str, possible: str) -> None:
    with rows.transaction(force_rollback=True):
        rows.execute("SET LOCAL TimeZone = 'UTC'")
        row = rows.execute(
            "UPDATE event SET start_earliest = %s, start_latest = '2013-02-25 12:00Z', end_earliest = %s,"
            " end_latest = %s WHERE event_id = %s RETURNING possible = %s::tstzrange",
            [start, "-infinity" if start == "-infinity" else "2013-02-25 12:00Z", end, EVENT, possible],
        ).fetchone()
    assert row == (True,)


def test_what_belongs_to_an_event_goes_with_it(rows: psycopg.Connection) -> None:
    with rows.transaction(force_rollback=True):
        rows.execute("DELETE FROM event WHERE event_id = %s", [EVENT])
        for table in (b"event_participant", b"event_topic", b"claim", b"event_link"):
            assert rows.execute(b"SELECT FROM " + table).fetchall() == []
